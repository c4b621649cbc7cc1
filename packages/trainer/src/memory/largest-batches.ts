import { rowLength } from "../data/rows.js";
import { passSize, sequencesOf, type PassUnit } from "./passes.js";

/** The batches that need the most memory. */
export interface LargestBatches<Row> {
  /** Those with the most tokens in a forward pass, one for each kind of pass that the method has; none of none, and none twice. */
  batches: (readonly Row[])[];
  /** Tokens of the largest pass of any batch, were it not split. */
  mostTokens: number;
  /** Tokens of the longest sequence of any batch. */
  longestRow: number;
}

/** Looks for the batches whose steps need the most memory. `passesOf` gives the sequences of each forward pass of a batch, always as many passes. */
export function largestBatches<Row>(
  batches: Iterable<readonly Row[]>,
  passesOf: (batch: readonly Row[]) => readonly (readonly PassUnit[])[],
): LargestBatches<Row> {
  const largest: LargestBatches<Row> = { batches: [], mostTokens: 0, longestRow: 0 };
  const most: number[] = [];
  const found: (readonly Row[])[] = [];
  for (const batch of batches) {
    for (const [kind, units] of passesOf(batch).entries()) {
      const { numTokens } = passSize(units);
      for (const row of sequencesOf(units)) largest.longestRow = Math.max(largest.longestRow, rowLength(row));
      if (numTokens <= (most[kind] ?? 0)) continue;
      most[kind] = numTokens;
      found[kind] = batch;
    }
  }
  return { ...largest, batches: [...new Set(found.filter(Boolean))], mostTokens: Math.max(0, ...most.filter(Boolean)) };
}
