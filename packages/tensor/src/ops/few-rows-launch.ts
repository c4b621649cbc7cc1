import { ShapeError } from "../errors.js";
import { fewRowsKernel } from "../kernels/few-rows.wgsl.js";
import { fewRowsBindings, fewRowsUnused, groupsOfColumns, type fewRowsParameters, type FewRowsSpec } from "../kernels/lib/few-rows.js";
import type { LowRankDelta } from "../nn/linear.js";
import type { Tensor } from "../tensor.js";
import {
  columnsOf,
  fewRowsLayout,
  fewRowsSpec,
  ranksOfParts,
  sharedBuffer,
  threeOf,
  type FewRowsInput,
  type FewRowsLayout,
  type FewRowsSize,
  type SharedBuffer,
} from "./few-rows-layout.js";
import { madeAhead, type LowRankAhead } from "./low-rank-ahead.js";

/** One matrix of a product of few rows. */
export interface FewRowsPart {
  /** [n, k] f16 | f32 */
  weight: Tensor;
  /** [n] f32 */
  bias?: Tensor | undefined;
  /** Adds (x · aᵀ) · bᵀ · scale. */
  lowRank?: LowRankDelta | undefined;
}

/** What a kernel of this kind is launched with, but for the weights. */
export interface FewRowsLaunch {
  y: Tensor;
  bindings: Record<Exclude<keyof typeof fewRowsBindings, "weight">, Tensor>;
  params: Record<Exclude<keyof typeof fewRowsParameters, `weight${0 | 1 | 2}`>, number>;
}

/** For every kernel but those of plain lanes; the product with the a of low-rank updates is recorded. */
export function fewRowsLaunch(parts: readonly FewRowsSize[], input: FewRowsInput, layout: FewRowsLayout): FewRowsLaunch {
  return launchWith(lowRankOf(layout, input), parts, input, layout);
}

/**
 * For a kernel of plain lanes, and what it is specialised on, but for its weights: products with a that were made ahead are taken, others recorded, and those that are
 * asked for are made.
 *
 * @param specOn  the kernel's own specialisation on the device
 */
export function plainLaunch(
  parts: readonly FewRowsSize[],
  input: FewRowsInput,
  layout: FewRowsLayout,
  specOn: (spec: Omit<FewRowsSpec, "workgroupSize" | "width" | "reduce">) => FewRowsSpec,
): FewRowsLaunch & { spec: ReturnType<typeof fewRowsSpec> } {
  const { device, shape } = input.x;
  const run = launchWith(madeAhead(input.ahead, layout) ?? lowRankOf(layout, input), parts, input, layout);
  const spec = fewRowsSpec(parts, input, layout);
  const { onward } = input;
  if (!onward) return { ...run, spec };
  const numBindings = Object.keys(fewRowsBindings).length - fewRowsUnused(spec).length;
  if (numBindings > device.capabilities.maxStorageBuffers)
    return { ...run, spec: fewRowsSpec(parts, { ...input, onward: undefined }, layout) };
  const { whole: ahead, starts } = aheadBuffer(onward, run.params.n);
  onward.parts = device.empty([groupsOfColumns(run.params.n, specOn(spec)), shape[0]!, spec.aheadRanks], "f32", "low-rank parts");
  const [rank0 = 0, rank1] = onward.a.map((tensor) => tensor.shape[0]!);
  return {
    y: run.y,
    bindings: { ...run.bindings, ahead, aheadNorm: onward.norm ?? ahead, aheadParts: onward.parts },
    params: { ...run.params, aheadEnd0: rank0, aheadEnd1: rank0 + (rank1 ?? 0), ...threeOf("ahead", starts) },
    spec,
  };
}

/** The a of what is made ahead of rows of n; throws ShapeError for others. */
function aheadBuffer({ a }: LowRankAhead, n: number): SharedBuffer {
  const shared = sharedBuffer(a);
  if (!shared || a.some(({ shape }) => shape[1] !== n))
    throw new ShapeError(
      `fewRowsLinear: expected each a of the layers that follow [rank, ${n}], in one buffer; got ${a.map(({ shape }) => `[${shape.join(", ")}]`).join(", ")}`,
    );
  return shared;
}

function launchWith(h: Tensor | undefined, parts: readonly FewRowsSize[], input: FewRowsInput, layout: FewRowsLayout): FewRowsLaunch {
  const { x, norm, addend, swiGlu = false, dtype } = input;
  const n = swiGlu ? parts[0]!.outFeatures : columnsOf(parts);
  const y = x.device.rowsLike(x, [x.shape[0]!, n], dtype, "fewRowsLinear");
  const ahead = { ahead: x, aheadNorm: x, aheadParts: x }; // of a spec that has no use for them
  return {
    y,
    bindings: {
      x,
      norm: norm?.weight ?? x,
      bias: layout.biases?.whole ?? x,
      addend: addend ?? x,
      h: h ?? x,
      b: layout.b?.whole ?? x,
      y,
      ...ahead,
    },
    params: {
      m: x.shape[0]!,
      k: x.shape[1]!,
      n,
      ...fewRowsParams(parts, layout, norm?.eps),
      hParts: h?.shape.length === 3 ? h.shape[0]! : 1,
    },
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
  const { device } = input.x;
  const weightElement = weights.whole.dtype === "f16" ? "vec4<u32>" : "vec4<f32>";
  const run = plainLaunch(parts, input, layout, (spec) => fewRowsKernel.specOn(device, { ...spec, weightElement }));
  const starts = threeOf("weight", weights.starts);
  fewRowsKernel.run(device, { ...run.bindings, weight: weights.whole }, { ...run.params, ...starts }, { ...run.spec, weightElement });
  return run.y;
}

/** Parts with the sizes of their matrices. */
export function sizesOf(parts: readonly FewRowsPart[]): (FewRowsPart & FewRowsSize)[] {
  return parts.map((part) => ({ ...part, inFeatures: part.weight.shape[1]!, outFeatures: part.weight.shape[0]! }));
}

/** What every kernel of this kind is told of its parts, but for where their weights lie: h in one part, nothing made ahead. */
export function fewRowsParams(
  parts: readonly FewRowsSize[],
  { biases, b }: FewRowsLayout,
  eps = 0,
): Omit<FewRowsLaunch["params"], "m" | "k" | "n"> {
  const all = 0xffffffff; // past the columns of one part there is no other
  const [n0 = 0, n1] = parts.map(({ outFeatures }) => outFeatures);
  const bStarts = [...(b?.starts ?? [])];
  return {
    eps,
    end0: parts.length > 1 ? n0 : all,
    end1: parts.length > 2 ? n0 + n1! : all,
    ...threeOf("bias", biases?.starts ?? []),
    ...threeOf("rank", ranksOfParts(parts)),
    ...threeOf(
      "b",
      parts.map(({ lowRank }) => (lowRank ? bStarts.shift()! : 0)),
    ),
    ...threeOf(
      "scale",
      parts.map(({ lowRank }) => lowRank?.scale ?? 0),
    ),
    hParts: 1,
    aheadEnd0: all,
    aheadEnd1: all,
    ...threeOf("ahead", []),
  };
}
