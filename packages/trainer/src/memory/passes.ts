import type { PeftModel } from "@kto/lora";
import { numScoredTokens, rowLength, type ScoredRow } from "../data/rows.js";

/** How large a pass is. */
export interface PassSize {
  numTokens: number;
  /** Positions whose next token is scored. */
  numScored: number;
}

/** How a micro-batch is laid out in time to fit into memory; results do not depend on it, but for the order of f32 sums. */
export interface PassLayout {
  /** The first so many decoder layers are run again on the way back instead of keeping their activations. */
  checkpointedLayers: number;
  /** Rows of a micro-batch go through the model in several passes if they have more tokens than this together. */
  tokensPerPass: number;
  /** Passes of all sizes take the memory of this one, so that all of them find the buffers of the first. */
  largestPass?: PassSize;
}

/** Every micro-batch in one pass, nothing run again: for passes without gradients. */
export const wholeBatches: PassLayout = { checkpointedLayers: 0, tokensPerPass: Infinity };

/** Groups of neighbouring rows that together have at most `tokensPerPass` tokens, a longer row alone. */
export function splitIntoPasses<Row extends ScoredRow>(rows: readonly Row[], tokensPerPass: number): Row[][] {
  const passes: Row[][] = [];
  let room = 0;
  for (const row of rows) {
    const length = rowLength(row);
    if (passes.length === 0 || length > room) {
      passes.push([]);
      room = tokensPerPass;
    }
    passes.at(-1)!.push(row);
    room -= length;
  }
  return passes;
}

/** What each pass of a micro-batch needs to know of the whole. */
export interface PassOptions {
  largestPass: PassSize | undefined;
  /** Tokens of the longest row of the whole micro-batch: scaled positions may depend on it. */
  longestRow: number;
}

/** Runs `pass` on as many parts of the rows as the layout asks for, each with the dropout and the positions it has in the whole. */
export function inPasses<Row extends ScoredRow, T>(
  { model, layout }: { model: PeftModel; layout: PassLayout },
  rows: readonly Row[],
  pass: (part: Row[], options: PassOptions) => T,
): T[] {
  let firstToken = 0;
  const options = { largestPass: layout.largestPass, longestRow: Math.max(...rows.map(rowLength)) };
  return splitIntoPasses(rows, layout.tokensPerPass).map((part) => {
    const result = model.withDropoutFrom(firstToken, () => pass(part, options));
    firstToken += passSize(part).numTokens;
    return result;
  });
}

/** Sizes of a pass of these rows. */
export function passSize(rows: readonly ScoredRow[]): PassSize {
  let [numTokens, numScored] = [0, 0];
  for (const row of rows) {
    numTokens += rowLength(row);
    numScored += numScoredTokens(row);
  }
  return { numTokens, numScored };
}

/** The most of either that a pass of these sequences has. */
export function largestPass(sequences: Iterable<readonly ScoredRow[]>, tokensPerPass: number): PassSize {
  const largest: PassSize = { numTokens: 0, numScored: 0 };
  for (const rows of sequences) {
    for (const pass of splitIntoPasses(rows, tokensPerPass)) {
      const { numTokens, numScored } = passSize(pass);
      largest.numTokens = Math.max(largest.numTokens, numTokens);
      largest.numScored = Math.max(largest.numScored, numScored);
    }
  }
  return largest;
}
