import { ArgumentError } from "@kto/core";
import { CapabilityError, sizeOf, type Device, type FloatDtype, type Tensor } from "@kto/tensor";
import { usesF16, type Arrays, type ErrorClass, type OracleCase, type OpInput } from "./case.js";
import { checkCase } from "./check-case.js";
import { differenceAt, spreadPlaces } from "./differences.js";

/** An op, or a loss made of ops, on one set of inputs, and the same in float64. `Name` are the names of its inputs. */
export interface OpCase<Name extends string> {
  /** Begins every message: "cube 3 × 5". */
  name: string;
  /** What goes in: `new Numbers(seed).input(shape)`, `indices(values)`, or data of one's own. */
  inputs: Readonly<Record<Name, OpInput>>;
  /** The op on the device: a tensor of any shape. */
  run(inputs: Record<Name, Tensor>): Tensor;
  /** The same formula in plain float64, row by row; a loss gives a number. */
  reference(inputs: Record<Name, Float64Array>): ArrayLike<number> | number;
  /** How far the results may be off; default "rowReduction": 2e-5 of the value and 1e-6 besides, in f16 2e-3 and 1e-4. */
  tolerance?: ErrorClass;
  /** What the result is rounded to on its way; default "f32". */
  storage?: FloatDtype;
  /** What gradients are rounded to on their way; default "f32". */
  gradientStorage?: FloatDtype;
}

/** What a check ran. */
export interface OpCheck {
  /** Names of the kernels that ran, each in every variant that the device can run. */
  kernels: string[];
}

/** Gradients are compared at this many places of an input, evenly spread: a difference costs four times the reference. */
const placesPerInput = 256;

/**
 * Runs an op on the device and compares its result with the reference, and its gradients with central differences of the reference, both in float64:
 *
 *   dInput[i] = ∂(Σ dy · y) / ∂input[i]   for a fixed random dy, at up to 256 places of each input that needs a gradient
 *
 * It does so in every way and variant of every kernel that runs and that the device has the features for. It also throws if a second run gives other bits, if
 * the GPU reports an error, and if memory is left behind. Nothing is returned but what was run.
 *
 * The reference must be smooth where its inputs are: take data that keeps off the corners of `maximum` and `clamp`.
 *
 * @throws Error that says what is off, where, and by how much; ArgumentError for a case that does not fit together; CapabilityError if it needs f16 and the device has none
 */
export async function checkOp<Name extends string>(device: Device, given: OpCase<Name>): Promise<OpCheck> {
  const oracle = oracleOf(given);
  if (usesF16(oracle) && !device.capabilities.shaderF16) {
    const advice = "leave the case out where device.capabilities.shaderF16 is false";
    const text = {
      operation: "checkOp",
      problem: `${oracle.name} needs f16`,
      expected: "a device with shader-f16",
      got: "one without",
      advice,
    };
    throw new CapabilityError(text, { missing: "shader-f16" });
  }
  return { kernels: await checkCase(device, oracle) };
}

/** The case as the generic checks take it: its gradients are differences, at some places. */
function oracleOf<Name extends string>(given: OpCase<Name>): OracleCase {
  const { name, tolerance = "rowReduction", storage, gradientStorage } = given;
  const inputs = given.inputs as Record<string, OpInput>;
  expectFit(name, inputs);
  const reference = (values: Arrays): Float64Array => {
    const y = given.reference(values as Record<Name, Float64Array>);
    return typeof y === "number" ? Float64Array.of(y) : Float64Array.from(y);
  };
  const gradientsAt = Object.fromEntries(
    Object.entries(inputs)
      .filter(([, { needsGradient }]) => needsGradient)
      .map(([input, { data }]) => [input, spreadPlaces(data.length, placesPerInput)]),
  );
  const differences = (values: Arrays, dy: Float64Array): Arrays =>
    Object.fromEntries(
      Object.entries(gradientsAt).map(([input, places]) => {
        const gradient = new Float64Array(values[input]!.length);
        for (const place of places) gradient[place] = differenceAt(reference, values, input, place, dy);
        return [input, gradient];
      }),
    );
  return {
    name,
    inputs,
    forward: (values) => ({ y: reference(values) }),
    vjp: Object.keys(gradientsAt).length > 0 ? differences : undefined,
    gradientsAt,
    run: (tensors) => ({ y: given.run(tensors) }),
    errorClass: tolerance,
    storage,
    gradientStorage,
  };
}

function expectFit(name: string, inputs: Record<string, OpInput>): void {
  for (const [input, { data, shape, dtype, needsGradient }] of Object.entries(inputs)) {
    const wrong = (problem: string, expected: string, got: string): ArgumentError =>
      new ArgumentError({ operation: "checkOp", problem: `${name}: ${problem} of input ${input}`, expected, got });
    if (data.length !== sizeOf(shape)) throw wrong("data", `${sizeOf(shape)} values for [${shape.join(", ")}]`, `${data.length}`);
    if (needsGradient && dtype !== "f32" && dtype !== "f16") throw wrong("dtype", "f32 or f16, as it needs a gradient", dtype);
  }
}
