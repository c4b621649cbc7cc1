import type { ScoredRow } from "./sequence-log-probs.js";

/**
 * Groups of neighbouring rows that together have at most `tokensPerPass` tokens, a longer row alone. Each row is cut to `maxLength` ids first, as in
 * `sequenceLogProbs`.
 */
export function splitIntoPasses<Row extends ScoredRow>(rows: readonly Row[], maxLength: number | null, tokensPerPass: number): Row[][] {
  const passes: Row[][] = [];
  let room = 0;
  for (const row of rows) {
    const length = rowLength(row, maxLength);
    if (passes.length === 0 || length > room) {
      passes.push([]);
      room = tokensPerPass;
    }
    passes.at(-1)!.push(row);
    room -= length;
  }
  return passes;
}

/** Tokens of a row in a pass. */
export function rowLength({ promptIds, completionIds }: ScoredRow, maxLength: number | null): number {
  return Math.min(promptIds.length + completionIds.length, maxLength ?? Infinity);
}
