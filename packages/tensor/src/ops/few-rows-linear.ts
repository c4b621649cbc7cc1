import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { fewRowsMatrixKernel } from "../kernels/few-rows-matrix.wgsl.js";
import { fewRowsKernel } from "../kernels/few-rows.wgsl.js";
import { matrixColumns, matrixDepth, matrixWorkgroup, type FewRowsMatrixSpec } from "../kernels/lib/few-rows-matrix.js";
import {
  depthWaysFor,
  fewRowsColumns,
  rowsTogether,
  type fewRowsParameters,
  type FewRowsResult,
  type FewRowsSpec,
} from "../kernels/lib/few-rows.js";
import { hasSubgroupMatrix } from "../kernels/lib/subgroup-matrix.js";
import type { LowRankDelta } from "../nn/linear.js";
import type { Tensor } from "../tensor.js";
import { gemm } from "./gemm.js";
import { rmsNorm } from "./rms-norm.js";

/** Rows up to which a product is one of few: beyond them its weights are not what counts. */
export const mostFewRows = 32;

/** One matrix of a product of few rows. */
export interface FewRowsPart {
  /** [n, k] f16 | f32 */
  weight: Tensor;
  /** [n] f32 */
  bias?: Tensor | undefined;
  /** Adds (x · aᵀ) · bᵀ · scale. */
  lowRank?: LowRankDelta | undefined;
}

/** What a product of few rows has beside its matrices. */
export interface FewRowsInput {
  /** [numRows, k] f16 | f32, at most 32 rows */
  x: Tensor;
  /** x is normalised first: x / sqrt(mean of x² + eps) · weight. */
  norm?: { weight: Tensor; eps: number } | undefined;
  /** [numRows, n] f32, added before the rounding */
  addend?: Tensor | undefined;
  /** Two matrices, gate and up: the result is silu(gate) · up. */
  swiGlu?: boolean | undefined;
  dtype: FloatDtype;
}

/** Tensors in one buffer as one, and where each begins in it, in elements. */
export interface SharedBuffer {
  whole: Tensor;
  starts: number[];
}

/** What a launch needs of parts, whatever their weights are stored as. */
export interface FewRowsLayout {
  biases: SharedBuffer | undefined;
  a: FewRowsPart[];
  b: SharedBuffer | undefined;
}

/**
 * Tensors as one, if they lie in one buffer: a kernel then has them all in one binding. Undefined if they do not, or some of them are not there. The view lives
 * in the current scope.
 */
export function sharedBuffer(tensors: readonly (Tensor | undefined)[]): SharedBuffer | undefined {
  const [first] = tensors;
  if (!first || !tensors.every((tensor) => tensor?.storage === first.storage && tensor.dtype === first.dtype)) return undefined;
  const all = tensors as readonly Tensor[];
  const bytes = all.map(({ byteOffset }) => byteOffset);
  const start = Math.min(...bytes);
  const elementBytes = first.byteLength / first.size;
  const end = Math.max(...all.map(({ byteOffset, byteLength }) => byteOffset + byteLength));
  const whole = first.device.viewOf(first, [(end - start) / elementBytes], start, "tensors of one buffer");
  return { whole, starts: bytes.map((offset) => (offset - start) / elementBytes) };
}

/** What `fewRowsLinear` says of parts that it can take; undefined of those that it cannot. */
export function fewRowsLayout(
  parts: readonly { inFeatures: number; outFeatures: number; bias?: Tensor | undefined; lowRank?: LowRankDelta | undefined }[],
  { x, swiGlu = false }: Pick<FewRowsInput, "x" | "swiGlu">,
): FewRowsLayout | undefined {
  const [first] = parts;
  if (!first || parts.length > 3 || (swiGlu && parts.length !== 2)) return undefined;
  if (x.shape[0]! > mostFewRows || first.inFeatures % 8 !== 0) return undefined;
  if (parts.some(({ outFeatures, inFeatures }) => outFeatures % fewRowsColumns !== 0 || inFeatures !== first.inFeatures)) return undefined;
  const withBias = parts.filter(({ bias }) => bias);
  const biases = withBias.length > 0 ? sharedBuffer(parts.map(({ bias }) => bias)) : undefined;
  if (withBias.length > 0 && !biases) return undefined;
  const adapted = parts.flatMap(({ lowRank }) => lowRank ?? []);
  if (adapted.some(({ a }) => a.shape[0]! % fewRowsColumns !== 0)) return undefined;
  const b = adapted.length > 0 ? sharedBuffer(adapted.map((delta) => delta.b)) : undefined;
  if (adapted.length > 0 && (!b || !sharedBuffer(adapted.map((delta) => delta.a)))) return undefined;
  return { biases, a: adapted.map(({ a }) => ({ weight: a })), b };
}

/**
 * Linear layers of one input, for a few rows, in one launch (with low-rank updates two): their results side by side, or those of gate and up multiplied. Sums in
 * f32, rounded once. Several rows of f16 weights go to matrix units, after a launch for the norm. Not on the tape.
 *
 * @param parts  one to three matrices of the same k, a multiple of 8, in one buffer; each n a multiple of 4
 * More rows are an ordinary product, if the matrices lie one after another and nothing comes after it.
 *
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
    const run = fewRowsLaunch(sized, { ...input, ...halfInput(input) }, layout);
    const spec = { ...fewRowsMatrixSpec(run.input, layout), weightElement: "vec4<u32>" } as const;
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

/** Sizes of a part. */
export interface FewRowsSize {
  inFeatures: number;
  outFeatures: number;
  lowRank?: LowRankDelta | undefined;
}

function columnsOf(parts: readonly FewRowsSize[]): number {
  return parts.reduce((sum, { outFeatures }) => sum + outFeatures, 0);
}

/** From this many rows on a product is quicker on matrix units, although it has a launch more for its norm. */
const fewestMatrixRows = 3;

/** Whether a product of weights in f16 goes to matrix units, where the device has them or a variant of theirs is forced; x has memory for whole tiles of rows. */
export function goesToMatrices(parts: readonly FewRowsSize[], { x, norm }: FewRowsInput, forced: string | undefined): boolean {
  const { device, shape } = x;
  const isWanted = forced !== undefined || (hasSubgroupMatrix(device.capabilities) && shape[0]! >= fewestMatrixRows);
  const isHalf = x.dtype === "f16" || (norm !== undefined && device.capabilities.shaderF16);
  const bytes = (x.dtype === "f16" ? 2 : 4) * matrixRows(shape[0]!) * shape[1]!;
  const hasRoom = x.storage.byteLength - x.byteOffset >= bytes;
  return (
    isWanted &&
    isHalf &&
    hasRoom &&
    parts.every(({ outFeatures, inFeatures }) => outFeatures % matrixColumns === 0 && inFeatures % matrixDepth === 0)
  );
}

/** Rows in whole tiles of matrices. */
export function matrixRows(numRows: number): number {
  return Math.ceil(numRows / 16) * 16;
}

/** x as matrix units take it, its norm done. */
export function halfInput({ x, norm }: FewRowsInput): { x: Tensor; norm: undefined } {
  return { x: norm ? rmsNorm(x, norm.weight, { eps: norm.eps, dtype: "f16" }) : x, norm: undefined };
}

/** What every kernel of this kind is launched with, but for the weights; the product with the a of low-rank updates is recorded. */
export function fewRowsLaunch(
  parts: readonly FewRowsSize[],
  input: FewRowsInput,
  layout: FewRowsLayout,
): {
  input: FewRowsInput;
  y: Tensor;
  bindings: Record<"x" | "norm" | "bias" | "addend" | "h" | "b" | "y", Tensor>;
  params: Record<Exclude<keyof typeof fewRowsParameters, `weight${0 | 1 | 2}`>, number>;
} {
  const { x, norm, addend, swiGlu = false, dtype } = input;
  const h = layout.a.length > 0 ? fewRowsLinear(layout.a, { x, norm, dtype: "f32" }) : undefined;
  const n = swiGlu ? parts[0]!.outFeatures : columnsOf(parts);
  const y = x.device.rowsLike(x, [x.shape[0]!, n], dtype, "fewRowsLinear");
  return {
    input,
    y,
    bindings: { x, norm: norm?.weight ?? x, bias: layout.biases?.whole ?? x, addend: addend ?? x, h: h ?? x, b: layout.b?.whole ?? x, y },
    params: { m: x.shape[0]!, k: x.shape[1]!, n, ...fewRowsParams(parts, layout, norm?.eps) },
  };
}

/** What every kernel of this kind is told of its parts, but for where their weights lie. */
export function fewRowsParams(
  parts: readonly { outFeatures: number; lowRank?: LowRankDelta | undefined }[],
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

/** What every kernel for plain lanes is specialised on, but for its weights. */
export function fewRowsSpec(input: FewRowsInput, layout: FewRowsLayout): FewRowsResult & Pick<FewRowsSpec, "xElement" | "rows"> {
  return {
    ...resultSpec(input, layout),
    xElement: input.x.dtype === "f16" ? "vec4<u32>" : "vec4<f32>",
    rows: rowsTogether(input.x.shape[0]!),
  };
}

/** What every kernel for matrix units is specialised on, but for its weights, which take `ownBytes` of workgroup memory beside their pieces. */
export function fewRowsMatrixSpec(
  input: FewRowsInput,
  layout: FewRowsLayout,
  { ownBytes = 0 }: { ownBytes?: number } = {},
): FewRowsResult & Pick<FewRowsMatrixSpec, "xElement" | "rowTiles" | "workgroupSize"> {
  const { maxWorkgroupStorageBytes } = input.x.device.capabilities;
  const rowTiles = input.x.shape[0]! > 16 ? 2 : 1;
  const workgroupSize = matrixWorkgroup({ rowTiles, swiGlu: input.swiGlu ?? false }, maxWorkgroupStorageBytes - ownBytes);
  return { ...resultSpec(input, layout), xElement: "vec4<u32>", rowTiles, workgroupSize };
}

function resultSpec({ norm, addend, swiGlu = false, dtype }: FewRowsInput, { biases, b }: FewRowsLayout): FewRowsResult {
  return {
    dtype,
    hasNorm: norm !== undefined,
    hasBias: biases !== undefined,
    hasAddend: addend !== undefined,
    hasLowRank: b !== undefined,
    swiGlu,
  };
}

/** name0 to name2. */
export function threeOf<Name extends string>(name: Name, values: readonly number[]): Record<`${Name}${0 | 1 | 2}`, number> {
  return Object.fromEntries([0, 1, 2].map((i) => [`${name}${i}`, values[i] ?? 0])) as Record<`${Name}${0 | 1 | 2}`, number>;
}
