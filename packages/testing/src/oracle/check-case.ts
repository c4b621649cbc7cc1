import type { Device } from "@kto/tensor";
import { expectClose, expectSmallError, gemmTolerance, gradientFactor, toleranceOf } from "../tolerances.js";
import { gradientOf, usesF16, valuesOf, type Arrays, type OracleCase } from "./case.js";
import { possibleVariants, recordKernels, runCase, type CaseResult } from "./run-case.js";

/**
 * Runs a case on a device and throws unless outputs and gradients agree with float64 within the tolerances, in the chosen variants and in each
 * that the device has the features for; unless a second run gives the same bits; and unless all memory was given back.
 *
 * @returns names of the kernels that ran; none if the case needs f16 and the device has none
 */
export async function checkCase(device: Device, oracle: OracleCase): Promise<string[]> {
  if (usesF16(oracle) && !device.capabilities.shaderF16) {
    if (!oracle.emulated) return []; // other kernels on f16 tensors need the feature; the run on a GPU has it
    for (const [kernel, variant] of Object.entries(oracle.emulated)) device.recorder.variants.set(kernel, variant);
  }
  const values = valuesOf(oracle);
  const outputs = oracle.forward(values);
  const gradients = oracle.vjp?.(values, gradientOf(outputs["y"]!)) ?? {};
  const liveBefore = device.memory.info().liveStorages;

  let first: CaseResult | undefined;
  const used = await recordKernels(async () => {
    first = await runCase(device, oracle, outputs["y"]);
  });
  expectAgreement(oracle, first!, outputs, gradients, "chosen variants");
  const differing = differingValues(await runCase(device, oracle, outputs["y"]), first!);
  if (differing.length > 0) throw new Error(`${oracle.name}: a second run gave other bits in ${differing.join(", ")}`);

  const manyVariants = !(oracle.manyGroups && device.capabilities.software);
  for (const [kernel, specs] of manyVariants ? used : []) {
    const variants = possibleVariants(kernel, specs, device.capabilities);
    if (variants.length < 2) continue;
    const forcedBefore = device.recorder.variants.get(kernel);
    for (const variant of variants) {
      device.recorder.variants.set(kernel, variant);
      expectAgreement(oracle, await runCase(device, oracle, outputs["y"]), outputs, gradients, `${kernel} ${variant}`);
    }
    if (forcedBefore === undefined) device.recorder.variants.delete(kernel);
    else device.recorder.variants.set(kernel, forcedBefore);
  }

  const left = device.memory.info().liveStorages - liveBefore;
  if (left !== 0) throw new Error(`${oracle.name}: ${left} storages were not given back`);
  return [...used.keys()];
}

/** Names of results that are not the same in both runs. */
function differingValues(a: CaseResult, b: CaseResult): string[] {
  const same = (x: ArrayLike<number>, y: ArrayLike<number>): boolean =>
    x.length === y.length && Array.prototype.every.call(x, (value, i) => Object.is(value, y[i]));
  return (["outputs", "gradients"] as const).flatMap((kind) =>
    Object.keys(b[kind]).filter((name) => !same(a[kind][name]!, b[kind][name]!)),
  );
}

function expectAgreement(oracle: OracleCase, result: CaseResult, outputs: Arrays, gradients: Arrays, variant: string): void {
  for (const [name, expected] of Object.entries(outputs))
    compare(result.outputs[name]!, expected, oracle, "forward", `${oracle.name}: ${name} (${variant})`);
  for (const name of Object.keys(result.gradients))
    compare(result.gradients[name]!, gradients[name]!, oracle, "gradient", `${oracle.name}: gradient of ${name} (${variant})`);
}

function compare(
  actual: ArrayLike<number>,
  expected: Float64Array,
  oracle: OracleCase,
  direction: "forward" | "gradient",
  label: string,
): void {
  const storage = (direction === "forward" ? oracle.storage : oracle.gradientStorage) ?? "f32";
  if (oracle.errorClass === "exact") expectClose(actual, expected, { rtol: 0, atol: 0, label });
  else if (oracle.errorClass === "gemm")
    expectSmallError(actual, expected, { limit: gemmTolerance[storage] * (direction === "gradient" ? gradientFactor : 1), label });
  else expectClose(actual, expected, { ...toleranceOf(oracle.errorClass, storage, direction), label });
}
