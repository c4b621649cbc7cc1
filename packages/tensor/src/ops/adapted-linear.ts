import type { FloatDtype } from "../dtype.js";
import type { Tensor } from "../tensor.js";
import type { LowRankDelta } from "../nn/linear.js";
import { adaptedLinearOp, type AdaptedLinearInputTensors, type FrozenMatrix } from "./adapted-linear-op.js";
import { pipelines } from "./gemm.js";
import { goTogether, isSkinny } from "./skinny-product.js";

/** A linear layer with a frozen weight and an update of low rank. */
export interface AdaptedLayer {
  weight: FrozenMatrix;
  /** [outFeatures] f32 */
  bias: Tensor | undefined;
  delta: LowRankDelta;
}

/** What `adaptedLinear` adds up. */
export interface AdaptedLinearInputs extends AdaptedLayer {
  /** [T, inFeatures] f16 */
  x: Tensor;
  /** [T, outFeatures] f32, added before the rounding */
  addend?: Tensor | undefined;
  /** Storage type of the result. */
  dtype: FloatDtype;
  /** False where the result of an addend is wanted for its place on the tape alone: it is then the addend itself. Default true. */
  isRead?: boolean | undefined;
}

/** Whether `adaptedLinear` can compute this on x's device, and does it sooner than a product and `lowRankAdd` do. */
export function isAdaptedLinear({ x, weight, delta }: Pick<AdaptedLinearInputs, "x" | "weight" | "delta">): boolean {
  const [n, k] = weight.shape;
  const [m, r] = [x.shape[0]!, delta.a.shape[0]!];
  const { device } = x;
  const isForced = device.recorder.variants.has("pipelinedMatmul") && device.recorder.variants.has("skinnyMatmul");
  const both = { a: x, b: x, m, transposeA: false } as const; // dtypes of a and b are those of x
  return (
    x.dtype === "f16" &&
    pipelines({ ...both, n, k }) &&
    pipelines({ ...both, n: k, k: n }) &&
    isSkinny(device, { m, n: r, k }) &&
    isSkinny(device, { m, n: r, k: n }) &&
    (isForced || m > mostFewRows)
  );
}

/** Up to so many rows weights are read as they are stored. */
const mostFewRows = 32;

/**
 * A linear layer with a frozen weight and an update of low rank: y = x · Wᵀ + bias + scale · (x · aᵀ) · bᵀ (+ addend), the update inside the product, everything summed in f32
 * and rounded once. Where `isAdaptedLinear`; else `linear` and `lowRankAdd` say the same.
 *
 * @returns  [T, outFeatures] in `dtype`
 */
export function adaptedLinear({ x, addend, dtype, isRead = true, ...layer }: AdaptedLinearInputs): Tensor {
  return recorded({ x, addend }, [layer], { dtype, isRead })[0]!;
}

/** Whether `adaptedLinears` can compute these layers of one input at once, and does it sooner. */
export function areAdaptedLinears(x: Tensor, layers: readonly AdaptedLayer[]): boolean {
  const [r, ...others] = new Set(layers.map(({ delta }) => delta.a.shape[0]!));
  return others.length === 0 && goTogether(layers.length, r!) && layers.every((layer) => isAdaptedLinear({ x, ...layer }));
}

/**
 * `adaptedLinear` of up to three layers that share their input, each with an output of its own: the input is multiplied once by all their a, and on the way back once by all
 * their dh. Where `areAdaptedLinears`.
 */
export function adaptedLinears(x: Tensor, layers: readonly AdaptedLayer[], { dtype }: { dtype: FloatDtype }): readonly Tensor[] {
  return recorded({ x, addend: undefined }, layers, { dtype, isRead: true });
}

function recorded(
  inputs: AdaptedLinearInputTensors,
  layers: readonly AdaptedLayer[],
  options: { dtype: FloatDtype; isRead: boolean },
): readonly Tensor[] {
  for (const [index, { bias, delta }] of layers.entries())
    Object.assign(inputs, { [`bias${index}`]: bias, [`a${index}`]: delta.a, [`b${index}`]: delta.b });
  const attributes = { weights: layers.map(({ weight }) => weight), scales: layers.map(({ delta }) => delta.scale), ...options };
  return adaptedLinearOp(inputs, attributes).output;
}
