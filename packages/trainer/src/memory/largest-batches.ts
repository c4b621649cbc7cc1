import { rowLength } from "../data/rows.js";
import { jointSize, type BatchPasses } from "./largest-passes.js";
import { passSize, sequencesOf } from "./passes.js";

/** The batches that need the most memory. */
export interface LargestBatches<Row> {
  /** Those with the most tokens in a forward pass, one for each kind of pass that the method has; none of none, and none twice. */
  batches: (readonly Row[])[];
  /** Tokens of the largest pass of any batch, were it neither split nor joined with others. */
  mostTokens: number;
  /** Tokens of the longest sequence of any batch. */
  longestRow: number;
  /** Some batch may have a joint pass. */
  hasJoint: boolean;
}

/** Looks for the batches whose steps need the most memory. */
export function largestBatches<Row>(
  batches: Iterable<readonly Row[]>,
  passesOf: (batch: readonly Row[]) => BatchPasses,
): LargestBatches<Row> {
  const largest: LargestBatches<Row> = { batches: [], mostTokens: 0, longestRow: 0, hasJoint: false };
  const most: number[] = [];
  const found: (readonly Row[])[] = [];
  const consider = (batch: readonly Row[], kind: number, numTokens: number): void => {
    if (numTokens <= (most[kind] ?? 0)) return;
    most[kind] = numTokens;
    found[kind] = batch;
  };
  for (const batch of batches) {
    const { separate, alongside } = passesOf(batch);
    for (const [kind, units] of separate.entries()) {
      const { numTokens } = passSize(units);
      for (const row of sequencesOf(units)) largest.longestRow = Math.max(largest.longestRow, rowLength(row));
      largest.mostTokens = Math.max(largest.mostTokens, numTokens);
      consider(batch, kind, numTokens);
    }
    if (!alongside) continue;
    largest.hasJoint = true;
    consider(batch, separate.length, jointSize(separate[0], alongside).numTokens);
  }
  return { ...largest, batches: [...new Set(found.filter(Boolean))] };
}
