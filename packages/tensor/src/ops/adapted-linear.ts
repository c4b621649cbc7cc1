import { defineOp } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import type { Tensor } from "../tensor.js";
import type { LowRankDelta } from "../nn/linear.js";
import { cast } from "./cast.js";
import { gemm, pipelines, type Gemm } from "./gemm.js";
import { isSkinny, skinnyProduct } from "./skinny-product.js";
import { sumColumns } from "./sum-columns.js";

/** A frozen matrix W [outFeatures, inFeatures] as the b of products, whatever it is stored as. */
export interface FrozenMatrix {
  readonly shape: readonly [outFeatures: number, inFeatures: number];
  /** For x · Wᵀ, in f16; belongs to the current scope where it is not the matrix itself. */
  forProduct(): Pick<Gemm, "b" | "transposeB" | "inEights">;
  /** For dy · W: [outFeatures, inFeatures] f16; likewise. */
  forGradient(): Tensor;
}

/** What `adaptedLinear` adds up. */
export interface AdaptedLinearInputs {
  /** [T, inFeatures] f16 */
  x: Tensor;
  weight: FrozenMatrix;
  /** [outFeatures] f32 */
  bias: Tensor | undefined;
  /** [T, outFeatures] f32, added before the rounding */
  addend?: Tensor | undefined;
  delta: LowRankDelta;
  /** Storage type of the result. */
  dtype: FloatDtype;
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
export function adaptedLinear({ x, weight, bias, addend, delta: { a, b, scale }, dtype }: AdaptedLinearInputs): Tensor {
  return adaptedLinearOp({ x, bias, addend, a, b }, { weight, scale, dtype }).output;
}

interface Inputs {
  [name: string]: Tensor | undefined;
  x: Tensor;
  bias: Tensor | undefined;
  addend: Tensor | undefined;
  a: Tensor;
  b: Tensor;
}

interface Attributes {
  weight: FrozenMatrix;
  scale: number;
  dtype: FloatDtype;
}

const adaptedLinearOp = defineOp("adaptedLinear", {
  rows: ["x", "addend", "h"],
  acceptsHalfGradient: true,
  forward({ device }, { x, bias, addend, a, b }: Inputs, { weight, scale, dtype }: Attributes) {
    const [n, k] = weight.shape;
    const [m, r] = [x.shape[0]!, a.shape[0]!];
    const h = device.rowsLike(x, [m, r], "f32", "adaptedLinear h");
    const peaks = skinnyProduct({ a: x, b: a, c: h, m, n: r, k, transposeB: true, wantsPeaks: true });
    const y = device.rowsLike(x, [m, n], dtype, "adaptedLinear");
    gemm({ a: x, ...weight.forProduct(), c: y, m, n, k, bias, addend, lowRank: { h, peaks: peaks!, factor: b, scale } });
    return { output: y, saved: { x, a, b, h, peaks } };
  },
  // dAddend = dy;  dh = scale · dy · b;  dB = scale · dyᵀ · h;  dA = dhᵀ · x;  dx = dy · W + dh · a;  dBias = sum over rows of dy
  vjp({ device, partial, sumOf }, { x, a, b, h, peaks }, dy, needs, { weight, scale }) {
    const [n, k] = weight.shape;
    const [m, r] = [x.shape[0]!, a.shape[0]!];
    const half = cast(dy.detach(), "f16");
    let [dx, dA, dB]: (Tensor | undefined)[] = [];
    if (needs.b) {
      const sum = sumOf("b");
      dB = sum ? undefined : device.empty([n, r], "f32", "adaptedLinear backward");
      const product = { a: half, b: h, m: n, n: r, k: m, transposeA: true, peaks };
      skinnyProduct({ ...product, c: sum?.tensor ?? dB!, accumulate: sum !== undefined, alpha: scale * (sum?.scale ?? 1) });
    }
    if (needs.a || needs.x) {
      const dh = device.rowsLike(x, [m, r], "f32", "adaptedLinear backward");
      const dhPeaks = skinnyProduct({ a: half, b, c: dh, m, n: r, k: n, alpha: scale, wantsPeaks: true });
      if (needs.a) {
        const sum = sumOf("a");
        dA = sum ? undefined : device.empty([r, k], "f32", "adaptedLinear backward");
        const product = { a: x, b: dh, m: k, n: r, k: m, transposeA: true, transposeC: true, peaks: dhPeaks };
        skinnyProduct({ ...product, c: sum?.tensor ?? dA!, accumulate: sum !== undefined, alpha: sum?.scale ?? 1 });
      }
      if (needs.x) {
        dx = partial.x ?? device.rowsLike(x, [m, k], "f32", "adaptedLinear backward");
        const accumulate = partial.x !== undefined;
        gemm({
          a: half,
          b: weight.forGradient(),
          c: dx,
          m,
          n: k,
          k: n,
          accumulate,
          lowRank: { h: dh, peaks: dhPeaks!, factor: a, scale: 1 },
        });
      }
    }
    return { x: dx, a: dA, b: dB, bias: needs.bias && sumColumns(dy, n, [n]), addend: needs.addend && dy };
  },
});
