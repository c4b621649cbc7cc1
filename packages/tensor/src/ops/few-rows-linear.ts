import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { fewRowsMatrixKernel } from "../kernels/few-rows-matrix.wgsl.js";
import { fewRowsKernel } from "../kernels/few-rows.wgsl.js";
import { depthWaysFor, type fewRowsParameters } from "../kernels/lib/few-rows.js";
import type { LowRankDelta } from "../nn/linear.js";
import type { Tensor } from "../tensor.js";
import {
  columnsOf,
  fewRowsLayout,
  fewRowsMatrixSpec,
  fewRowsSpec,
  goesToMatrices,
  halfInput,
  mostFewRows,
  sharedBuffer,
  threeOf,
  type FewRowsInput,
  type FewRowsLayout,
  type FewRowsSize,
} from "./few-rows-layout.js";
import { gemm } from "./gemm.js";
import { rmsNorm } from "./rms-norm.js";

/** One matrix of a product of few rows. */
export interface FewRowsPart {
  /** [n, k] f16 | f32 */
  weight: Tensor;
  /** [n] f32 */
  bias?: Tensor | undefined;
  /** Adds (x · aᵀ) · bᵀ · scale. */
  lowRank?: LowRankDelta | undefined;
}

/**
 * Linear layers of one input, for a few rows, in one launch (with low-rank updates two): their results side by side, or those of gate and up multiplied. Sums in
 * f32, rounded once. Several rows of f16 weights go to matrix units, after a launch for the norm. More than 32 rows are an ordinary product, if the matrices lie
 * one after another and nothing comes after it. Not on the tape.
 *
 * @param parts  one to three matrices of the same k, a multiple of 8, in one buffer; each n a multiple of 4
 * @returns      [numRows, sum of n], with swiGlu [numRows, n], in `dtype`; undefined, and nothing recorded, where the parts are not of that kind
 */
export function fewRowsLinear(parts: readonly FewRowsPart[], input: FewRowsInput): Tensor | undefined {
  const { x } = input;
  const { device } = x;
  if (x.shape[0]! > mostFewRows) return manyRowsLinear(parts, input);
  const sized = parts.map((part) => ({ ...part, inFeatures: part.weight.shape[1]!, outFeatures: part.weight.shape[0]! }));
  const layout = fewRowsLayout(sized, input);
  const weights = sharedBuffer(parts.map(({ weight }) => weight));
  if (!layout || !weights) return undefined;
  if (x.shape[1] !== sized[0]!.inFeatures)
    throw new ShapeError(`fewRowsLinear: inner dimensions differ; expected ${sized[0]!.inFeatures}, got ${x.shape[1]}`);
  const starts = threeOf("weight", weights.starts);
  if (weights.whole.dtype === "f16" && goesToMatrices(sized, input, device.recorder.variants.get("fewRowsMatrix"))) {
    const halved = { ...input, ...halfInput(input) };
    const run = fewRowsLaunch(sized, halved, layout);
    const spec = { ...fewRowsMatrixSpec(halved, layout), weightElement: "vec4<u32>" } as const;
    fewRowsMatrixKernel.run(device, { ...run.bindings, weight: weights.whole }, { ...run.params, ...starts }, spec);
    return run.y;
  }
  const run = fewRowsLaunch(sized, input, layout);
  const isHalf = weights.whole.dtype === "f16";
  fewRowsKernel.run(
    device,
    { ...run.bindings, weight: weights.whole },
    { ...run.params, ...starts },
    {
      ...fewRowsSpec(input, layout),
      weightElement: isHalf ? "vec4<u32>" : "vec4<f32>",
      depthWays: depthWaysFor(columnsOf(sized), x.shape[1]),
    },
  );
  return run.y;
}

/** For more rows: matrices that lie one after another are one product, if nothing comes after it. */
function manyRowsLinear(parts: readonly FewRowsPart[], { x, norm, addend, swiGlu, dtype }: FewRowsInput): Tensor | undefined {
  const [m, k] = [x.shape[0]!, x.shape[1]!];
  const weights = joinedBuffer(parts.map(({ weight }) => weight));
  const withBias = parts.filter(({ bias }) => bias);
  const bias = withBias.length > 0 ? joinedBuffer(parts.map((part) => part.bias)) : undefined;
  if (!weights || (withBias.length > 0 && !bias) || addend || swiGlu || parts.some(({ lowRank }) => lowRank)) return undefined;
  const operand = weights.dtype as FloatDtype;
  const a = norm ? rmsNorm(x, norm.weight, { eps: norm.eps, dtype: operand }) : x;
  const n = weights.size / k;
  const y = x.device.rowsLike(x, [m, n], dtype, "linear");
  gemm({ a, b: weights, c: y, m, n, k, transposeB: true, bias });
  return y;
}

/** Tensors as one, if each begins where the one before it ends. */
function joinedBuffer(tensors: readonly (Tensor | undefined)[]): Tensor | undefined {
  const shared = sharedBuffer(tensors);
  if (!shared) return undefined;
  let end = 0;
  return tensors.every((tensor, index) => shared.starts[index] === (end += tensor!.size) - tensor!.size) ? shared.whole : undefined;
}

/** What every kernel of this kind is launched with, but for the weights; the product with the a of low-rank updates is recorded. */
export function fewRowsLaunch(
  parts: readonly FewRowsSize[],
  input: FewRowsInput,
  layout: FewRowsLayout,
): {
  y: Tensor;
  bindings: Record<"x" | "norm" | "bias" | "addend" | "h" | "b" | "y", Tensor>;
  params: Record<Exclude<keyof typeof fewRowsParameters, `weight${0 | 1 | 2}`>, number>;
} {
  const { x, norm, addend, swiGlu = false, dtype } = input;
  const h =
    layout.a.length > 0
      ? fewRowsLinear(
          layout.a.map((weight) => ({ weight })),
          { x, norm, dtype: "f32" },
        )
      : undefined;
  const n = swiGlu ? parts[0]!.outFeatures : columnsOf(parts);
  const y = x.device.rowsLike(x, [x.shape[0]!, n], dtype, "fewRowsLinear");
  return {
    y,
    bindings: { x, norm: norm?.weight ?? x, bias: layout.biases?.whole ?? x, addend: addend ?? x, h: h ?? x, b: layout.b?.whole ?? x, y },
    params: { m: x.shape[0]!, k: x.shape[1]!, n, ...fewRowsParams(parts, layout, norm?.eps) },
  };
}

/** What every kernel of this kind is told of its parts, but for where their weights lie. */
function fewRowsParams(
  parts: readonly FewRowsSize[],
  { biases, b }: FewRowsLayout,
  eps = 0,
): Record<"end0" | "end1" | `bias${0 | 1 | 2}` | `rank${0 | 1 | 2}` | `b${0 | 1 | 2}` | `scale${0 | 1 | 2}` | "eps", number> {
  const all = 0xffffffff; // past the columns of one part there is no other
  const [n0 = 0, n1] = parts.map(({ outFeatures }) => outFeatures);
  const bStarts = [...(b?.starts ?? [])];
  return {
    eps,
    end0: parts.length > 1 ? n0 : all,
    end1: parts.length > 2 ? n0 + n1! : all,
    ...threeOf("bias", biases?.starts ?? []),
    ...threeOf(
      "rank",
      parts.map(({ lowRank }) => lowRank?.a.shape[0] ?? 0),
    ),
    ...threeOf(
      "b",
      parts.map(({ lowRank }) => (lowRank ? bStarts.shift()! : 0)),
    ),
    ...threeOf(
      "scale",
      parts.map(({ lowRank }) => lowRank?.scale ?? 0),
    ),
  };
}
