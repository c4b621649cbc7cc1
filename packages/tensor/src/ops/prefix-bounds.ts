import type { Device } from "../device/device.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../tensor.js";
import { segmentBounds, type SegmentBounds } from "./causal-attention.js";

/** The first tokens of another row of the batch, from which a row goes on. */
export interface Prefix {
  /** Place of the other row, before this one and without a prefix of its own. */
  row: number;
  /** How many of its tokens. */
  length: number;
}

/**
 * Bounds of rows packed one after the other, some of which go on from the first tokens of an earlier one: they see these and themselves, and nobody sees
 * them. So what several rows begin with is computed once. Throws ShapeError for a prefix that is not in the batch.
 *
 * @param lengths      tokens of each row, without its prefix
 * @param prefixes     of each row, undefined for one that stands alone
 * @param rowCapacity  tokens to make room for: see `Device.rowsLike`
 * @param gradientTokens  how many of the first tokens take gradients, if not all: the others, being constants to the backward pass, which alone reads `ends`, are
 *                     no queries that a key has to wait for
 * @returns            [2, 1, 2] with the third after two of the first → starts 0 0 2 0 0, ends 5 5 3 5 5, and in spans the gaps 0–0 0–0 0–0 2–3 2–3
 */
export function prefixBounds(
  device: Device,
  lengths: readonly number[],
  prefixes: readonly (Prefix | undefined)[],
  rowCapacity?: number,
  gradientTokens: number = Infinity,
): SegmentBounds {
  if (!prefixes.some((prefix) => prefix)) return segmentBounds(device, lengths, undefined, rowCapacity);
  const rowStarts: number[] = [];
  let numTokens = 0;
  for (const length of lengths) {
    rowStarts.push(numTokens);
    numTokens += length;
  }
  const spans = new Uint32Array(4 * numTokens); // start, gap, end of each token
  lengths.forEach((length, row) => {
    const rowStart = rowStarts[row]!;
    const rowEnd = rowStart + length;
    const prefix = prefixes[row];
    if (prefix) expectPrefix(row, prefix, lengths, prefixes);
    const start = prefix ? rowStarts[prefix.row]! : rowStart;
    const gap = prefix ? [start + prefix.length, rowStart] : [0, 0];
    for (let token = rowStart; token < rowEnd; token++) spans.set([start, ...gap, rowEnd], 4 * token);
    if (rowStart >= gradientTokens) return;
    for (let token = start; token < start + (prefix?.length ?? 0); token++) spans[4 * token + 3] = rowEnd; // the last row that goes on from here stays
  });
  const made = (numbers: Uint32Array, shape: readonly number[], name: string): Tensor =>
    device.tensor(numbers, shape, "u32", name, rowCapacity);
  const column = (index: number): Uint32Array => Uint32Array.from({ length: numTokens }, (_, token) => spans[4 * token + index]!);
  return {
    starts: made(column(0), [numTokens], "starts"),
    ends: made(column(3), [numTokens], "ends"),
    spans: made(spans, [numTokens, 4], "spans"),
  };
}

function expectPrefix(row: number, prefix: Prefix, lengths: readonly number[], prefixes: readonly (Prefix | undefined)[]): void {
  const isEarlier = Number.isInteger(prefix.row) && prefix.row >= 0 && prefix.row < row;
  if (!isEarlier || prefixes[prefix.row])
    throw new ShapeError(
      `prefixBounds: row ${row} must go on from an earlier row that stands alone; got row ${prefix.row}${isEarlier ? ", which goes on from another itself" : ""}`,
    );
  const most = lengths[prefix.row]!;
  if (!Number.isInteger(prefix.length) || prefix.length < 1 || prefix.length > most)
    throw new ShapeError(
      `prefixBounds: row ${row} goes on from more of row ${prefix.row} than there is; expected 1 to ${most} tokens, got ${prefix.length}`,
    );
}
