import { byteSize, type Dtype, type FloatDtype } from "../dtype.js";
import { matrixColumns, matrixDepth, matrixWorkgroup, type FewRowsMatrixSpec } from "../kernels/lib/few-rows-matrix.js";
import { plainResult, type FewRowsResult } from "../kernels/lib/few-rows-result.js";
import { depthWaysFor, fewRowsColumns, partLoadsFor, rowsTogether, type FewRowsSpec } from "../kernels/lib/few-rows.js";
import { hasSubgroupMatrix } from "../kernels/lib/subgroup-matrix.js";
import type { LowRankDelta } from "../nn/linear.js";
import type { Tensor } from "../tensor.js";
import { madeAhead, ranksAhead, type LowRankAhead } from "./low-rank-ahead.js";
import { rmsNorm } from "./rms-norm.js";

/** Rows up to which a product is one of few: beyond them its weights are not what counts. */
export const mostFewRows = 32;

/** What a product of few rows has beside its matrices. */
export interface FewRowsInput {
  /** [numRows, k] f16 | f32 */
  x: Tensor;
  /** x is normalised first: x / sqrt(mean of x² + eps) · weight. */
  norm?: { weight: Tensor; eps: number } | undefined;
  /** [numRows, n] f32, added before the rounding */
  addend?: Tensor | undefined;
  /** Two matrices, gate and up: the result is silu(gate) · up. */
  swiGlu?: boolean | undefined;
  /** What x may be rounded to when its norm is done; default f32. */
  operand?: FloatDtype | undefined;
  /** x · aᵀ of the low-rank updates, where it was made along with x. */
  ahead?: LowRankAhead | undefined;
  /** The same of the result for the layers that take it: made along, if this product is one of plain lanes. */
  onward?: LowRankAhead | undefined;
  dtype: FloatDtype;
}

/** Sizes of a part. */
export interface FewRowsSize {
  inFeatures: number;
  outFeatures: number;
  bias?: Tensor | undefined;
  lowRank?: LowRankDelta | undefined;
}

/** Tensors in one buffer as one, and where each begins in it, in elements. */
export interface SharedBuffer {
  whole: Tensor;
  starts: number[];
}

/** What a launch needs of parts, whatever their weights are stored as. */
export interface FewRowsLayout {
  biases: SharedBuffer | undefined;
  /** The a of low-rank updates, in the order of the parts that have one. */
  a: Tensor[];
  b: SharedBuffer | undefined;
}

/**
 * Tensors as one, if they lie in one buffer: a kernel then has them all in one binding. Undefined if they do not, or some of them are not there. The view lives
 * in the current scope.
 *
 * @param dtype  of the whole, as large as that of each; default: that of the first
 */
export function sharedBuffer(tensors: readonly (Tensor | undefined)[], dtype?: Dtype): SharedBuffer | undefined {
  const [first] = tensors;
  if (!first || !tensors.every((tensor) => tensor?.storage === first.storage && byteSize(tensor.dtype) === byteSize(first.dtype)))
    return undefined;
  const all = tensors as readonly Tensor[];
  const bytes = all.map(({ byteOffset }) => byteOffset);
  const start = Math.min(...bytes);
  const elementBytes = byteSize(first.dtype);
  const end = Math.max(...all.map(({ byteOffset, byteLength }) => byteOffset + byteLength));
  const whole = first.device.viewOf(first, [(end - start) / elementBytes], start, "tensors of one buffer", dtype);
  return { whole, starts: bytes.map((offset) => (offset - start) / elementBytes) };
}

/** What `fewRowsLinear` says of parts that it can take; undefined of those that it cannot. */
export function fewRowsLayout(parts: readonly FewRowsSize[], { swiGlu = false }: Pick<FewRowsInput, "swiGlu">): FewRowsLayout | undefined {
  const [first] = parts;
  if (!first || parts.length > 3 || (swiGlu && parts.length !== 2)) return undefined;
  if (first.inFeatures % 8 !== 0) return undefined;
  if (parts.some(({ outFeatures, inFeatures }) => outFeatures % fewRowsColumns !== 0 || inFeatures !== first.inFeatures)) return undefined;
  const withBias = parts.filter(({ bias }) => bias);
  const biases = withBias.length > 0 ? sharedBuffer(parts.map(({ bias }) => bias)) : undefined;
  if (withBias.length > 0 && !biases) return undefined;
  const adapted = parts.flatMap(({ lowRank }) => lowRank ?? []);
  if (adapted.some(({ a }) => a.shape[0]! % fewRowsColumns !== 0)) return undefined;
  const b = adapted.length > 0 ? sharedBuffer(adapted.map((delta) => delta.b)) : undefined;
  if (adapted.length > 0 && (!b || !sharedBuffer(adapted.map((delta) => delta.a)))) return undefined;
  return { biases, a: adapted.map(({ a }) => a), b };
}

export function columnsOf(parts: readonly FewRowsSize[]): number {
  return parts.reduce((sum, { outFeatures }) => sum + outFeatures, 0);
}

/** From this many rows on a product of weights in f16 is quicker on matrix units, although it has a launch more for its norm. */
const fewestMatrixRows = 3;

/**
 * Whether a product goes to matrix units, where it has `fewest` rows at least and the device has them or a variant of theirs is forced; x has memory for whole tiles
 * of rows.
 */
export function goesToMatrices(
  parts: readonly FewRowsSize[],
  input: FewRowsInput,
  forced: string | undefined,
  fewest: number = fewestMatrixRows,
): boolean {
  const { x } = input;
  const { device, shape } = x;
  const isWanted = forced !== undefined || (hasSubgroupMatrix(device.capabilities) && shape[0]! >= fewest);
  const hasRoom = (x.rowCapacity ?? shape[0]!) >= matrixRows(shape[0]!);
  return (
    isWanted &&
    isHalfProduct(input) &&
    hasRoom &&
    parts.every(({ outFeatures, inFeatures }) => outFeatures % matrixColumns === 0 && inFeatures % matrixDepth === 0)
  );
}

/** Rows in whole tiles of matrices: what products of few rows have memory for (`Device.rowsLike`), so that they may go to matrix units. */
export function matrixRows(numRows: number): number {
  return Math.ceil(numRows / 16) * 16;
}

/** Whether x is f16, or may be when its norm is done. */
export function isHalfProduct({ x, norm, operand }: Pick<FewRowsInput, "x" | "norm" | "operand">): boolean {
  return x.dtype === "f16" || (norm !== undefined && operand === "f16" && x.device.capabilities.shaderF16);
}

/** x as matrix units take it, its norm done. */
export function halfInput({ x, norm }: FewRowsInput): { x: Tensor; norm: undefined } {
  return { x: norm ? rmsNorm(x, norm.weight, { eps: norm.eps, dtype: "f16" }) : x, norm: undefined };
}

/** What every kernel for plain lanes is specialised on, but for its weights. */
export function fewRowsSpec(
  parts: readonly FewRowsSize[],
  input: FewRowsInput,
  layout: FewRowsLayout,
): FewRowsResult & Pick<FewRowsSpec, "xElement" | "rows" | "updateRanks" | "mostRanks" | "depthWays" | "partLoads"> {
  const ranks = ranksOfParts(parts);
  const [updateRanks, mostRanks] = [ranks.reduce((sum, rank) => sum + rank, 0), Math.max(...ranks)];
  const made = madeAhead(input.ahead, layout);
  const rows = rowsTogether(input.x.shape[0]!, updateRanks);
  return {
    ...resultSpec(input, layout),
    ...aheadSpec(input),
    isUpdateNormed: !input.norm || !made,
    xElement: input.x.dtype === "f16" ? "vec4<u32>" : "vec4<f32>",
    rows,
    updateRanks,
    mostRanks,
    partLoads: updateRanks === 0 ? 0 : partLoadsFor(made?.shape[0] ?? 1, (input.swiGlu ? updateRanks : mostRanks) / 4, rows),
    depthWays: depthWaysFor(columnsOf(parts), input.x.shape[1]!),
  };
}

/** Ranks of the updates of parts; 0 of those that have none. */
export function ranksOfParts(parts: readonly FewRowsSize[]): number[] {
  return parts.map(({ lowRank }) => lowRank?.a.shape[0] ?? 0);
}

function aheadSpec({ onward }: FewRowsInput): Pick<FewRowsResult, "aheadRanks" | "hasAheadNorm"> {
  return onward ? { aheadRanks: ranksAhead(onward), hasAheadNorm: onward.norm !== undefined } : { aheadRanks: 0, hasAheadNorm: false };
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
    ...plainResult,
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
  const [first = 0, second = 0, third = 0] = values;
  return { [`${name}0`]: first, [`${name}1`]: second, [`${name}2`]: third } as Record<`${Name}${0 | 1 | 2}`, number>;
}
