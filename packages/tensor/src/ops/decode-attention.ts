import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import {
  aheadColumns,
  attentionSumGroup,
  decodeAttentionKernel,
  decodeAttentionSumKernel,
  mostAheadRanks,
} from "../kernels/decode-attention.wgsl.js";
import { decodeTile } from "../kernels/lib/decode-attention.js";
import { writeRowsKernel } from "../kernels/rows-by-index.wgsl.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { areJoined, expectProjections, projectionParams, type ProjectedColumns } from "./columns.js";
import { ranksAhead, type LowRankAhead } from "./low-rank-ahead.js";
import type { RopeTables } from "./rope.js";

/** Parts that a row's keys are shared out in at most: more than this keeps no device busier, and each is to be added. */
const mostSplits = 64;

/** The newest token of each row. */
export interface DecodeInputs extends ProjectedColumns {
  /** With them q and k come before their rotation, and are rotated to where they stand in their row. */
  tables?: RopeTables | undefined;
  /** What the layer that takes the result will multiply it with: made along, where the result is a sum of parts. */
  onward?: LowRankAhead | undefined;
}

/** Where the keys of rows lie in a cache of pages. */
export interface CachedKeys {
  /** [numSlots, numKeyValueHeads · headDim] f16 | f32, keys after rotation; numSlots is a multiple of pageSize */
  keys: Tensor;
  /** As keys. */
  values: Tensor;
  /** [numRows, pagesPerRow] u32: which page has the tokens from p · pageSize on of a row */
  pages: Tensor;
  /** [numRows] u32: keys of each row, the newest included, from 1 to pagesPerRow · pageSize */
  lengths: Tensor;
  pageSize: number;
}

/** Options of {@link decodeAttention}. */
export interface DecodeAttentionOptions {
  numHeads: number;
  /** Divides numHeads. */
  numKeyValueHeads: number;
  /** Even. */
  headDim: number;
  /** dtype of the result; default that of q. */
  dtype?: FloatDtype;
}

/**
 * Attention of the newest token of each row over its row in a cache, which gets the token's key and value: what `causalAttention` gives for it, whatever other
 * rows there are. What is recorded depends on the number of rows and of their pages alone, so that a capture of it goes on while rows grow. Not on the tape.
 *
 * @returns  [numRows, numHeads · headDim]; softmax and sums in f32. Throws ShapeError, DtypeError
 */
export function decodeAttention(inputs: DecodeInputs, cache: CachedKeys, options: DecodeAttentionOptions): Tensor {
  const { q, k, v, tables } = inputs;
  const { numHeads, numKeyValueHeads, headDim, dtype = q.tensor.dtype as FloatDtype } = options;
  const { keys, values, pages, lengths, pageSize } = cache;
  const { device } = keys;
  const [numRows = 0, pagesPerRow = 0] = pages.shape;
  checkInputs(inputs, options, numRows);
  checkCache(cache, numKeyValueHeads * headDim, numRows);
  const tiles = Math.ceil((pagesPerRow * pageSize) / decodeTile);
  const keysPerSplit = Math.ceil(tiles / mostSplits) * decodeTile;
  const numSplits = Math.ceil((pagesPerRow * pageSize) / keysPerSplit);
  const isSplit = numSplits > 1;
  const lanes = headDim % 8 === 0 ? 4 : headDim % 4 === 0 ? 2 : 1;
  const shape = [numRows, numHeads * headDim];
  const out = isSplit
    ? device.empty([numRows * numHeads * numSplits, headDim + 2], "f32", "attention parts")
    : device.rowsLike(q.tensor, shape, dtype, "decodeAttention");
  decodeAttentionKernel.run(
    device,
    {
      q: q.tensor,
      k: k.tensor,
      v: v.tensor,
      cos: tables?.cos ?? lengths,
      sin: tables?.sin ?? lengths,
      keys,
      values,
      pages,
      lengths,
      out,
    },
    {
      numRows,
      pagesPerRow,
      keysPerSplit,
      numSplits,
      ...projectionParams(inputs),
    },
    {
      numHeads,
      numKeyValueHeads,
      headDim,
      pageSize,
      inputType: q.tensor.dtype as FloatDtype,
      cacheType: keys.dtype as FloatDtype,
      cacheElement: lanes === 1 ? keys.dtype : `vec${lanes}<${keys.dtype}>`,
      lanes,
      dtype: isSplit ? "f32" : dtype,
      rotates: tables !== undefined,
      joined: areJoined(inputs),
      isSplit,
    },
  );
  if (!isSplit) return out;
  const result = device.rowsLike(q.tensor, shape, dtype, "decodeAttention");
  const ahead = aheadOf(inputs.onward, shape);
  decodeAttentionSumKernel.run(
    device,
    { parts: out, lengths, out: result, ahead: ahead?.a ?? out, aheadParts: ahead?.parts ?? out },
    { size: result.size, numSplits, keysPerSplit },
    { numHeads, headDim, dtype, aheadRanks: ahead?.ranks ?? 0 },
  );
  out.dispose();
  return result;
}

/** Room for what is made ahead of a result of this shape, where the kernel can. */
function aheadOf(
  onward: LowRankAhead | undefined,
  [numRows, n]: readonly number[],
): { a: Tensor; parts: Tensor; ranks: number } | undefined {
  const [a, ...others] = onward?.a ?? [];
  if (!onward || !a || others.length > 0 || onward.norm || n! % attentionSumGroup !== 0) return undefined;
  const ranks = ranksAhead(onward);
  if (ranks > mostAheadRanks) return undefined;
  expectShape("decodeAttention", "a", a, [ranks, n!]);
  onward.parts = a.device.empty([n! / aheadColumns, numRows!, ranks], "f32", "low-rank parts");
  return { a, parts: onward.parts, ranks };
}

function checkInputs(inputs: DecodeInputs, { numHeads, numKeyValueHeads, headDim }: DecodeAttentionOptions, numRows: number): void {
  const op = "decodeAttention";
  const { tables } = inputs;
  if (numHeads % numKeyValueHeads !== 0 || headDim % 2 !== 0)
    throw new ShapeError(
      `${op}: expected numHeads a multiple of numKeyValueHeads and an even headDim, got ${numHeads}, ${numKeyValueHeads}, ${headDim}`,
    );
  expectProjections(op, inputs, { numRows, qSize: numHeads * headDim, kSize: numKeyValueHeads * headDim });
  for (const [name, table] of Object.entries({ cos: tables?.cos, sin: tables?.sin }))
    if (table) expectShape(op, name, table, [table.shape[0] ?? 0, headDim / 2]);
}

function checkCache({ keys, values, pages, lengths, pageSize }: CachedKeys, rowSize: number, numRows: number): void {
  const op = "decodeAttention";
  const [numSlots = 0] = keys.shape;
  for (const [name, tensor] of Object.entries({ keys, values })) {
    expectDtype(op, name, tensor, keys.dtype === "f16" ? "f16" : "f32");
    expectShape(op, name, tensor, [numSlots, rowSize]);
  }
  for (const [name, tensor] of Object.entries({ pages, lengths })) expectDtype(op, name, tensor, "u32");
  expectShape(op, "lengths", lengths, [numRows]);
  if (pages.shape.length !== 2 || pages.size === 0 || wholePages(numSlots, pageSize) < 1)
    throw new ShapeError(
      `${op}: expected pages [numRows, pagesPerRow] and slots in pages of ${pageSize}, got [${pages.shape.join(", ")}] and ${numSlots} slots`,
    );
}

/** Whole pages of a cache; 0 where it has none, or a part of one. */
function wholePages(numSlots: number, pageSize: number): number {
  return numSlots % pageSize === 0 ? numSlots / pageSize : 0;
}

/**
 * Overwrites rows of a matrix: target[indices[i]] = x[i], rounded to the dtype of the target. Not on the tape.
 *
 * @param target   [numTargetRows, n] f16 | f32
 * @param x        [numRows, n] f16 | f32
 * @param indices  [numRows] u32, different, each below numTargetRows
 */
export function writeRows(target: Tensor, x: Tensor, indices: Tensor): void {
  const [numTargetRows = 0, rowSize = 0] = target.shape;
  const [numRows = 0] = x.shape;
  for (const [name, tensor] of [
    ["target", target],
    ["x", x],
  ] as const)
    expectDtype("writeRows", name, tensor, "f32", "f16");
  expectShape("writeRows", "x", x, [numRows, rowSize]);
  expectShape("writeRows", "indices", indices, [numRows]);
  writeRowsKernel.run(
    x.device,
    { x, indices, y: target },
    { size: x.size, rowSize, numTargetRows },
    { xType: x.dtype as FloatDtype, dtype: target.dtype as FloatDtype },
  );
}
