import type { RowSequence } from "../data/row-sequence.js";

/** How rows are gone through in batches. */
export interface BatchOptions {
  /** Rows at a time. */
  batchSize: number;
  signal?: AbortSignal | undefined;
  /** Told after each batch how many rows are done. */
  onProgress?(done: number): void;
}

/** Goes through rows a batch at a time, in their order; `start` is the index of a batch's first. Throws `signal.reason` between two batches. */
export async function inBatches<Row>(
  rows: RowSequence<Row>,
  { batchSize, signal, onProgress }: BatchOptions,
  each: (batch: readonly Row[], start: number) => Promise<void>,
): Promise<void> {
  for (let start = 0; start < rows.length; start += batchSize) {
    signal?.throwIfAborted();
    const end = Math.min(start + batchSize, rows.length);
    await each(rows.slice(start, end), start);
    onProgress?.(end);
  }
}
