import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { decodeAttentionKernel, decodeAttentionSumKernel, decodeTile } from "../kernels/decode-attention.wgsl.js";
import { writeRowsKernel } from "../kernels/rows-by-index.wgsl.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Keys that a workgroup looks at where there are more: enough to hide what sharing costs, few enough that long rows keep the device busy. */
const keysPerSplit = 4 * decodeTile;

/** Where the keys of rows lie in a cache of pages. */
export interface CachedKeys {
  /** [numSlots, numKeyValueHeads · headDim] f16 | f32, keys after rotation; numSlots is a multiple of pageSize */
  keys: Tensor;
  /** As keys. */
  values: Tensor;
  /** [numRows, pagesPerRow] u32: which page has the tokens from p · pageSize on of a row */
  pages: Tensor;
  /** [numRows] u32: keys of each row, at least 1 */
  lengths: Tensor;
  /** The largest of the lengths, at most pagesPerRow · pageSize. */
  maxLength: number;
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
 * Attention of the last token of each row over its row in a cache: what `causalAttention` gives for it, whatever other rows there are. Not on the tape.
 *
 * @param q  [numRows, numHeads · headDim] f16 | f32, after rotation
 * @returns  [numRows, numHeads · headDim]; softmax and sums in f32. Throws ShapeError, DtypeError
 */
export function decodeAttention(q: Tensor, cache: CachedKeys, options: DecodeAttentionOptions): Tensor {
  const { numHeads, numKeyValueHeads, headDim, dtype = q.dtype as FloatDtype } = options;
  const { keys, values, pages, lengths, maxLength, pageSize } = cache;
  const { device } = q;
  const op = "decodeAttention";
  const numRows = q.shape[0] ?? 0;
  if (numHeads % numKeyValueHeads !== 0 || headDim % 2 !== 0)
    throw new ShapeError(
      `${op}: expected numHeads a multiple of numKeyValueHeads and an even headDim, got ${numHeads}, ${numKeyValueHeads}, ${headDim}`,
    );
  expectDtype(op, "q", q, "f32", "f16");
  expectShape(op, "q", q, [numRows, numHeads * headDim]);
  const [numSlots = 0] = keys.shape;
  for (const [name, tensor] of [
    ["keys", keys],
    ["values", values],
  ] as const) {
    expectDtype(op, name, tensor, keys.dtype);
    expectShape(op, name, tensor, [numSlots, numKeyValueHeads * headDim]);
  }
  const [, pagesPerRow = 0] = pages.shape;
  expectShape(op, "pages", pages, [numRows, pagesPerRow]);
  expectShape(op, "lengths", lengths, [numRows]);
  if (maxLength < 1 || maxLength > pagesPerRow * pageSize || numSlots % pageSize !== 0)
    throw new ShapeError(
      `${op}: expected maxLength from 1 to ${pagesPerRow * pageSize} and slots in pages of ${pageSize}, got ${maxLength} and ${numSlots}`,
    );
  const numSplits = Math.ceil(maxLength / keysPerSplit);
  const isSplit = numSplits > 1;
  const out = device.empty(q.shape, dtype, op);
  const parts = device.empty(isSplit ? [numRows * numHeads * numSplits, headDim + 2] : [1], "f32", "attention parts");
  decodeAttentionKernel.run(
    device,
    { q, keys, values, pages, lengths, out, parts },
    { numRows, pagesPerRow, keysPerSplit, numSplits },
    {
      numHeads,
      numKeyValueHeads,
      headDim,
      vector: headDim % 4 === 0 ? "vec4" : "vec2",
      pageSize,
      inputType: q.dtype as FloatDtype,
      cacheType: keys.dtype as FloatDtype,
      dtype,
      isSplit,
    },
  );
  if (isSplit) decodeAttentionSumKernel.run(device, { parts, out }, { size: out.size, numSplits }, { headDim, dtype });
  return out;
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
