import type { RowSequence } from "../data/row-sequence.js";
import { alone, type Collective } from "../loop/collective.js";

/** How rows are gone through in batches. */
export interface BatchOptions {
  /** Rows at a time. */
  batchSize: number;
  signal?: AbortSignal | undefined;
  /** Ranks that take turns with the batches; default none. */
  collective?: Collective | undefined;
  /** Told after each batch how many rows are done. */
  onProgress?(done: number): void;
}

/** Goes through rows a batch at a time, in their order, of several ranks each through its share; `start` is the index of a batch's first. Throws `signal.reason` between two batches. */
export async function inBatches<Row>(
  rows: RowSequence<Row>,
  { batchSize, signal, onProgress, collective: { rank, size } = alone }: BatchOptions,
  each: (batch: readonly Row[], start: number) => Promise<void>,
): Promise<void> {
  for (let first = 0; first < rows.length; first += size * batchSize) {
    signal?.throwIfAborted();
    const start = first + rank * batchSize;
    if (start < rows.length) await each(rows.slice(start, Math.min(start + batchSize, rows.length)), start);
    onProgress?.(Math.min(first + size * batchSize, rows.length));
  }
}
