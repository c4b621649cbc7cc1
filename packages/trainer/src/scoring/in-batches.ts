/** How rows are gone through in batches. */
export interface BatchOptions {
  /** Rows at a time. */
  batchSize: number;
  signal?: AbortSignal | undefined;
  /** Told after each batch how many rows are done. */
  onProgress?(done: number): void;
}

/** What `of` makes of each row, a batch of them at a time, in their order. Throws `signal.reason` between two batches. */
export async function inBatches<Row, Result>(
  rows: readonly Row[],
  { batchSize, signal, onProgress }: BatchOptions,
  of: (batch: readonly Row[]) => Promise<Result[]>,
): Promise<Result[]> {
  const done: Result[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    signal?.throwIfAborted();
    done.push(...(await of(rows.slice(start, start + batchSize))));
    onProgress?.(done.length);
  }
  return done;
}
