import type { RowRange } from "@kto/safetensors";

/** Elements that are computed and written at a time: 4 MiB in f32. */
const elementsAtOnce = 2 ** 20;

/** The rows of a tensor in pieces of about 4 MiB in f32, each but the last of a multiple of `blockSize` elements; a scalar is one row. */
export function* rowsInPieces(shape: readonly number[], blockSize = 1): Generator<RowRange> {
  const count = shape[0] ?? 1;
  const rowSize = shape.slice(1).reduce((product, length) => product * length, 1);
  const multiple = blockSize / greatestCommonDivisor(rowSize, blockSize);
  const step = multiple * Math.max(1, Math.floor(elementsAtOnce / (rowSize * multiple)));
  for (let from = 0; from < count; from += step) yield { from, to: Math.min(from + step, count) };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
