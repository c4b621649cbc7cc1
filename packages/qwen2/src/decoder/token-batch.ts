import {
  leadingRows,
  prefixBounds,
  ShapeError,
  withGradientRows,
  type Device,
  type PackRowsOptions,
  type SegmentBounds,
  type Tensor,
  type TokenBatch,
} from "@kto/tensor";

/**
 * Concatenates rows of ids. Positions count from 0 in each row, or on from its prefix, or from its entry in `firstPositions`.
 * Throws ShapeError for an empty row, a prefix that is not in the batch, an id outside the vocabulary, first positions that are not one whole number a row, a `longestRow` that is none, or `gradientTokens` that are not in the batch.
 */
export function packRows(
  device: Device,
  rows: readonly ArrayLike<number>[],
  vocabSize: number,
  {
    prefixes = [],
    firstPositions = rows.map((_, row) => prefixes[row]?.length ?? 0),
    rowCapacity,
    longestRow = 0,
    gradientTokens,
  }: PackRowsOptions = {},
): TokenBatch {
  const rowLengths = rows.map((row) => row.length);
  const numTokens = rowLengths.reduce((total, length) => total + length, 0);
  if (rows.length === 0 || rowLengths.includes(0))
    throw new ShapeError(`packRows: every row needs at least one token; got lengths [${rowLengths.join(", ")}]`);
  if (firstPositions.length !== rows.length || !firstPositions.every((first) => Number.isInteger(first) && first >= 0))
    throw new ShapeError(
      `packRows: firstPositions must be a whole number for each row; expected ${rows.length}, got [${firstPositions.join(", ")}]`,
    );
  if (!Number.isSafeInteger(longestRow) || longestRow < 0)
    throw new ShapeError(`packRows: longestRow is no number of tokens; expected a whole number, got ${longestRow}`);
  const ids = new Uint32Array(numTokens);
  const positions = new Uint32Array(numTokens);
  let next = 0;
  for (const [index, row] of rows.entries()) {
    for (let position = 0; position < row.length; position++, next++) {
      const id = row[position]!;
      if (!Number.isInteger(id) || id < 0 || id >= vocabSize)
        throw new ShapeError(`packRows: token id ${id} is outside the vocabulary; expected 0 to ${vocabSize - 1}`);
      ids[next] = id;
      positions[next] = firstPositions[index]! + position;
    }
  }
  const inputIds = device.tensor(ids, [numTokens], "u32", "inputIds", rowCapacity);
  return {
    inputIds: gradientTokens ? withGradientRows(inputIds, gradientTokens) : inputIds,
    ids,
    positions: device.tensor(positions, [numTokens], "u32", "positions", rowCapacity),
    ...prefixBounds(device, rowLengths, prefixes, rowCapacity, gradientTokens?.count),
    rowLengths,
    firstPositions: [...firstPositions],
    longestRow: rowLengths.reduce((longest, length, row) => Math.max(longest, firstPositions[row]! + length), longestRow),
  };
}

/** Where the tokens of a batch stand, each [numTokens] u32: what decoder layers need of it. */
export interface TokenPlaces extends Pick<SegmentBounds, "starts" | "ends" | "spans"> {
  positions: Tensor;
}

/** The places of those tokens of a batch that take gradients, as views. Dispose them; the tape holds those that it needs. */
export function gradientPlaces({ inputIds, positions, starts, ends, spans }: TokenBatch): TokenPlaces & Disposable {
  const views: Tensor[] = [];
  const leading = (tensor: Tensor): Tensor => {
    const view = leadingRows(tensor, inputIds.gradientRows);
    views.push(view);
    return view;
  };
  return {
    positions: leading(positions),
    starts: leading(starts),
    ends: leading(ends),
    spans: spans && leading(spans),
    [Symbol.dispose]: () => views.forEach((view) => view.dispose()),
  };
}

/** A padded batch as packed rows: the real tokens of each row, and where each one lies in the packed tensors. */
export interface UnpaddedBatch {
  rows: Uint32Array[];
  /** For each packed token its index in [batch, seqLen]. */
  paddedIndices: Uint32Array;
}

/**
 * Takes the real tokens out of a padded batch, padded on either side (mask 1 = token). Positions are counted from each row's first token, so that
 * left and right padding give the same result.
 */
export function unpad(inputIds: readonly ArrayLike<number>[], attentionMask: readonly ArrayLike<number>[]): UnpaddedBatch {
  const seqLen = inputIds[0]?.length ?? 0;
  const indices: number[] = [];
  const rows = inputIds.map((ids, row) => {
    const mask = attentionMask[row];
    if (!mask || ids.length !== seqLen || mask.length !== seqLen)
      throw new ShapeError(`unpad: row ${row} has ${ids.length} ids and ${mask?.length ?? 0} mask entries; expected ${seqLen} of both`);
    const kept: number[] = [];
    for (let col = 0; col < seqLen; col++) {
      if (mask[col] === 0) continue;
      kept.push(ids[col]!);
      indices.push(row * seqLen + col);
    }
    return Uint32Array.from(kept);
  });
  return { rows, paddedIndices: Uint32Array.from(indices) };
}
