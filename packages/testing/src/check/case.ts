import { f16BitsToNumber, numberToF16Bits, sizeOf, type Dtype, type FloatDtype, type Shape, type Tensor } from "@kto/tensor";
import type { Tolerance } from "../tolerances.js";

/** Float64 numbers by name. */
export type Arrays = Record<string, Float64Array>;

/** An input: values that its dtype holds exactly, so that a comparison measures the kernel and not the rounding of its input. */
export interface OpInput {
  data: Float64Array;
  shape: Shape;
  dtype: Dtype;
  needsGradient: boolean;
}

/** How large an error may be: a class of ops (see tolerances.ts), or numbers of one's own; gradients may be off by four times as much. */
export type ErrorClass = "elementwise" | "rowReduction" | "gemm" | "exact" | Tolerance;

/** One op on one set of inputs: in float64, its vjp in float64, and on the device. The generic tests do the rest. */
export interface OracleCase {
  /** "rmsNorm 3 × 5 f32" */
  name: string;
  inputs: Record<string, OpInput>;
  /** Outputs by name; the gradient is that of `y`. */
  forward(inputs: Arrays): Arrays;
  /** Gradients of the inputs that need one, given that of `y`. Ops outside the tape have none. */
  vjp?(inputs: Arrays, dy: Float64Array): Arrays;
  /** Places of an input at which its gradient is compared; where none are named, at all. */
  gradientsAt?: Readonly<Record<string, readonly number[]>>;
  /** Outputs under the names of `forward`. */
  run(inputs: Record<string, Tensor>): Record<string, Tensor>;
  errorClass: ErrorClass;
  /** Storage that rounds the outputs most; default f32. */
  storage?: FloatDtype;
  /** Storage that rounds the gradients most (operands of a GEMM, for example); default f32. */
  gradientStorage?: FloatDtype;
  /** Way and variants, by op and kernel, with which a case of f16 tensors runs where WGSL has no f16: kernels on matrix units emulate them and read f16 as bits. */
  emulated?: Readonly<Record<string, string>>;
  /** Has more than 65,535 workgroups, so that on a software adapter, where one with a barrier takes a millisecond, only the chosen variants run. */
  manyGroups?: boolean;
}

/** True if a case has a tensor in f16. */
export function usesF16({ inputs, storage, gradientStorage }: OracleCase): boolean {
  return storage === "f16" || gradientStorage === "f16" || Object.values(inputs).some(({ dtype }) => dtype === "f16");
}

/** A generator of test numbers: the same on every machine. */
export class Numbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in 0 … 1. */
  uniform(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state / 2 ** 32;
  }

  /** Bell-shaped, mean 0, variance 1. */
  normal(scale = 1): number {
    return (this.uniform() + this.uniform() + this.uniform() + this.uniform() - 2) * Math.sqrt(3) * scale;
  }

  /** A float input with normal values that `dtype` holds; it needs a gradient unless told otherwise. */
  input(
    shape: Shape,
    { dtype = "f32", scale = 1, needsGradient = true }: { dtype?: FloatDtype; scale?: number; needsGradient?: boolean } = {},
  ): OpInput {
    return { data: Float64Array.from({ length: sizeOf(shape) }, () => roundTo(dtype, this.normal(scale))), shape, dtype, needsGradient };
  }

  /** A u32 input below `bound`. */
  ids(count: number, bound: number): OpInput {
    return indices(Array.from({ length: count }, () => Math.floor(this.uniform() * bound)));
  }
}

/** A u32 input. */
export function indices(values: readonly number[]): OpInput {
  return { data: Float64Array.from(values), shape: [values.length], dtype: "u32", needsGradient: false };
}

/** The nearest number that a dtype holds. */
export function roundTo(dtype: FloatDtype, value: number): number {
  return dtype === "f16" ? f16BitsToNumber(numberToF16Bits(value)) : Math.fround(value);
}

/** The values of the inputs alone. */
export function valuesOf({ inputs }: OracleCase): Arrays {
  return Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, data]));
}

/** A deterministic gradient of y. */
export function gradientOf(y: Float64Array): Float64Array {
  const numbers = new Numbers(y.length + 17);
  return Float64Array.from(y, () => Math.fround(numbers.normal()));
}
