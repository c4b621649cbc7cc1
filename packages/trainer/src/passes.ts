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

/** How large a pass is. */
export interface PassSize {
  numTokens: number;
  /** Positions whose next token is scored. */
  numScored: number;
}

/** Sizes of a pass of these rows. */
export function passSize(rows: readonly ScoredRow[], maxLength: number | null): PassSize {
  let [numTokens, numScored] = [0, 0];
  for (const row of rows) {
    const length = rowLength(row, maxLength);
    numTokens += length;
    numScored += Math.max(0, length - Math.max(1, row.promptIds.length));
  }
  return { numTokens, numScored };
}

/** The most of either that a pass of these micro-batches has. */
export function largestPass(microBatches: Iterable<readonly ScoredRow[]>, maxLength: number | null, tokensPerPass: number): PassSize {
  const largest: PassSize = { numTokens: 0, numScored: 0 };
  for (const rows of microBatches) {
    for (const pass of splitIntoPasses(rows, maxLength, tokensPerPass)) {
      const { numTokens, numScored } = passSize(pass, maxLength);
      largest.numTokens = Math.max(largest.numTokens, numTokens);
      largest.numScored = Math.max(largest.numScored, numScored);
    }
  }
  return largest;
}

/** For `Device.withRowCapacity`: a pass of these rows takes the memory of the largest. */
export function passCapacity(rows: readonly ScoredRow[], maxLength: number | null, largest: PassSize | undefined): Map<number, number> {
  if (!largest) return new Map();
  const { numTokens, numScored } = passSize(rows, maxLength);
  return new Map([
    [numScored, largest.numScored],
    [numTokens, largest.numTokens],
  ]);
}

/** Tokens of a row in a pass. */
export function rowLength({ promptIds, completionIds }: ScoredRow, maxLength: number | null): number {
  return Math.min(promptIds.length + completionIds.length, maxLength ?? Infinity);
}
