import type { KtoRow } from "./data/index.js";
import { mismatched } from "./kto-micro-batch.js";
import { rowLength } from "./passes.js";
import type { ScoredRow } from "./sequence-log-probs.js";

/** The batches that need the most memory. */
export interface LargestBatches<Row> {
  /** Those with the most tokens in matched rows, and in mismatched ones: one batch or two, none of none. */
  batches: Row[][];
  /** Tokens of the matched or mismatched rows of a batch, the most there are. */
  mostTokens: number;
  /** Tokens of the longest row of any batch. */
  longestRow: number;
}

/** Looks for the batches whose steps need the most memory; rows are cut to `maxLength` ids. */
export function largestBatches<Row extends KtoRow>(batches: readonly Row[][], maxLength: number | null): LargestBatches<Row> {
  const largest: LargestBatches<Row> = { batches: [], mostTokens: 0, longestRow: 0 };
  for (const scoredOf of [(row: Row): ScoredRow => row, mismatched]) {
    let most = 0;
    let found: Row[] | undefined;
    for (const batch of batches) {
      let tokens = 0;
      for (const row of batch) {
        const length = rowLength(scoredOf(row), maxLength);
        tokens += length;
        largest.longestRow = Math.max(largest.longestRow, length);
      }
      if (tokens <= most) continue;
      most = tokens;
      found = batch;
    }
    if (found && !largest.batches.includes(found)) largest.batches.push(found);
    largest.mostTokens = Math.max(largest.mostTokens, most);
  }
  return largest;
}
