import { fewRowsKernel } from "../kernels/few-rows.wgsl.js";
import { depthWaysFor, type fewRowsParameters } from "../kernels/lib/few-rows.js";
import type { LowRankDelta } from "../nn/linear.js";
import type { Tensor } from "../tensor.js";
import {
  columnsOf,
  fewRowsLayout,
  fewRowsSpec,
  sharedBuffer,
  threeOf,
  type FewRowsInput,
  type FewRowsLayout,
  type FewRowsSize,
  type SharedBuffer,
} from "./few-rows-layout.js";

/** One matrix of a product of few rows. */
export interface FewRowsPart {
  /** [n, k] f16 | f32 */
  weight: Tensor;
  /** [n] f32 */
  bias?: Tensor | undefined;
  /** Adds (x · aᵀ) · bᵀ · scale. */
  lowRank?: LowRankDelta | undefined;
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
  const h = lowRankOf(layout, input);
  const n = swiGlu ? parts[0]!.outFeatures : columnsOf(parts);
  const y = x.device.rowsLike(x, [x.shape[0]!, n], dtype, "fewRowsLinear");
  return {
    y,
    bindings: { x, norm: norm?.weight ?? x, bias: layout.biases?.whole ?? x, addend: addend ?? x, h: h ?? x, b: layout.b?.whole ?? x, y },
    params: { m: x.shape[0]!, k: x.shape[1]!, n, ...fewRowsParams(parts, layout, norm?.eps) },
  };
}

/** The product of any number of rows with the a of low-rank updates, side by side: [numRows, sum of ranks] f32. */
export function lowRankOf({ a }: FewRowsLayout, { x, norm }: Pick<FewRowsInput, "x" | "norm">): Tensor | undefined {
  if (a.length === 0) return undefined;
  const sized = sizesOf(a.map((weight) => ({ weight })));
  const input: FewRowsInput = { x, norm, dtype: "f32" };
  return plainFewRows(sized, sharedBuffer(a)!, input, fewRowsLayout(sized, input)!); // which the layout of the product itself saw to
}

/** A product on plain lanes of matrices as they are stored, in one buffer. */
export function plainFewRows(parts: readonly FewRowsSize[], weights: SharedBuffer, input: FewRowsInput, layout: FewRowsLayout): Tensor {
  const run = fewRowsLaunch(parts, input, layout);
  fewRowsKernel.run(
    input.x.device,
    { ...run.bindings, weight: weights.whole },
    { ...run.params, ...threeOf("weight", weights.starts) },
    {
      ...fewRowsSpec(input, layout),
      weightElement: weights.whole.dtype === "f16" ? "vec4<u32>" : "vec4<f32>",
      depthWays: depthWaysFor(columnsOf(parts), run.params.k),
    },
  );
  return run.y;
}

/** Parts with the sizes of their matrices. */
export function sizesOf(parts: readonly FewRowsPart[]): (FewRowsPart & FewRowsSize)[] {
  return parts.map((part) => ({ ...part, inFeatures: part.weight.shape[1]!, outFeatures: part.weight.shape[0]! }));
}

/** What every kernel of this kind is told of its parts, but for where their weights lie. */
export function fewRowsParams(
  parts: readonly FewRowsSize[],
  { biases, b }: FewRowsLayout,
  eps = 0,
): Record<"end0" | "end1" | `bias${0 | 1 | 2}` | `rank${0 | 1 | 2}` | `b${0 | 1 | 2}` | `scale${0 | 1 | 2}` | "eps", number> {
  const all = 0xffffffff; // past the columns of one part there is no other
  const [n0 = 0, n1] = parts.map(({ outFeatures }) => outFeatures);
  const bStarts = [...(b?.starts ?? [])];
  const [bias0 = 0, bias1 = 0, bias2 = 0] = biases?.starts ?? [];
  const [rank0 = 0, rank1 = 0, rank2 = 0] = parts.map(({ lowRank }) => lowRank?.a.shape[0] ?? 0);
  const [b0 = 0, b1 = 0, b2 = 0] = parts.map(({ lowRank }) => (lowRank ? bStarts.shift()! : 0));
  const [scale0 = 0, scale1 = 0, scale2 = 0] = parts.map(({ lowRank }) => lowRank?.scale ?? 0);
  return {
    eps,
    end0: parts.length > 1 ? n0 : all,
    end1: parts.length > 2 ? n0 + n1! : all,
    bias0,
    bias1,
    bias2,
    rank0,
    rank1,
    rank2,
    b0,
    b1,
    b2,
    scale0,
    scale1,
    scale2,
  };
}
