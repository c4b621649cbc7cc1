import { rowLength } from "../data/rows.js";
import { jointSize, passesOfAll, type BatchPasses } from "./largest-passes.js";
import { passSize, sequencesOf } from "./passes.js";

/** What needs the most memory. */
export interface LargestBatches<Batch> {
  /**
   * What goes through together with the most tokens in a forward pass, one for each kind of pass that the method has: one batch, or several. None of none, and none
   * twice.
   */
  groups: (readonly Batch[])[];
  /** Tokens of the largest pass of any group, were it neither split nor joined with others. */
  mostTokens: number;
  /** Tokens of the longest sequence of any batch. */
  longestRow: number;
  /** Some batch may have a joint pass. */
  hasJoint: boolean;
}

/** Looks for the batches, among those that go through together, whose steps need the most memory. */
export function largestBatches<Batch>(groups: Iterable<readonly Batch[]>, passesOf: (batch: Batch) => BatchPasses): LargestBatches<Batch> {
  const largest: LargestBatches<Batch> = { groups: [], mostTokens: 0, longestRow: 0, hasJoint: false };
  const most: number[] = [];
  const found: (readonly Batch[])[] = [];
  const consider = (group: readonly Batch[], kind: number, numTokens: number): void => {
    if (numTokens <= (most[kind] ?? 0)) return;
    most[kind] = numTokens;
    found[kind] = group;
  };
  for (const group of groups) {
    const { separate, alongside } = passesOfAll(group.map(passesOf));
    for (const [kind, units] of separate.entries()) {
      const { numTokens } = passSize(units);
      for (const row of sequencesOf(units)) largest.longestRow = Math.max(largest.longestRow, rowLength(row));
      largest.mostTokens = Math.max(largest.mostTokens, numTokens);
      consider(group, kind, numTokens);
    }
    if (!alongside) continue;
    largest.hasJoint = true;
    consider(group, separate.length, jointSize(separate[0], alongside).numTokens);
  }
  return { ...largest, groups: [...new Set(found.filter(Boolean))] };
}
