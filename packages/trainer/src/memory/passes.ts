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
  /** The same for joint passes, those with rows that take no gradients: tokens of all rows, and what is scored of these. */
  largestJoint?: PassSize;
  /** Rows that take no gradients go through by themselves, in a method that could have them go along with others. */
  isSeparate?: boolean;
  /** So many micro-batches of an update, where they may, go through together, whatever `tokensPerPass`; default 1. */
  microBatchesPerPass?: number;
  /** But for those that would have more tokens than this together; default any number. */
  tokensTogether?: number;
}

/** Every micro-batch in one pass, nothing run again: for passes without gradients. */
export const wholeBatches: PassLayout = { checkpointedLayers: 0, tokensPerPass: Infinity };

/** A sequence, or several that go through the model together, as the two of a pair. */
export type PassUnit = ScoredRow | readonly ScoredRow[];

/** The sequences of some units, one after another. */
export function sequencesOf(units: readonly PassUnit[]): ScoredRow[] {
  return units.flatMap((unit): readonly ScoredRow[] => ("promptIds" in unit ? [unit] : unit));
}

/** How many of some rows the first pass takes. */
export function numInFirstPass(rows: readonly PassUnit[], { tokensPerPass }: PassLayout): number {
  return splitIntoPasses(rows, tokensPerPass, (row) => row)[0]?.length ?? 0;
}

/** Groups of neighbouring rows that together have at most `tokensPerPass` tokens, a longer row alone. */
export function splitIntoPasses<Row>(rows: readonly Row[], tokensPerPass: number, unitOf: (row: Row) => PassUnit): Row[][] {
  const passes: Row[][] = [];
  let room = 0;
  for (const row of rows) {
    const length = passSize([unitOf(row)]).numTokens;
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

/** A model whose dropout goes by the place of a token in its batch; a `PeftModel` is one. */
export interface DropoutModel {
  withDropoutFrom<T>(row: number, body: () => T): T;
}

/**
 * Runs `pass` on as many parts of the rows as the layout asks for, each with the dropout and the positions it has in the whole.
 *
 * @param whole  the rows of the micro-batch, where `rows` are some of them
 */
export function inPasses<Row extends ScoredRow, T>(
  context: { model: DropoutModel; layout: PassLayout },
  rows: readonly Row[],
  pass: (part: Row[], options: PassOptions) => T,
  whole?: readonly Row[],
): T[] {
  return inPassesOf(context, rows, (row) => row, pass, whole);
}

/** As `inPasses`, for rows of which each is a unit of sequences. */
export function inPassesOf<Row, T>(
  { model, layout }: { model: DropoutModel; layout: PassLayout },
  rows: readonly Row[],
  unitOf: (row: Row) => PassUnit,
  pass: (part: Row[], options: PassOptions) => T,
  whole: readonly Row[] = rows,
): T[] {
  let firstToken = 0;
  const options = { largestPass: layout.largestPass, longestRow: longestRowOf(whole.map(unitOf)) };
  return splitIntoPasses(rows, layout.tokensPerPass, unitOf).map((part) => {
    const result = model.withDropoutFrom(firstToken, () => pass(part, options));
    firstToken += passSize(part.map(unitOf)).numTokens;
    return result;
  });
}

/** Tokens of the longest sequence. */
export function longestRowOf(units: readonly PassUnit[]): number {
  return Math.max(...sequencesOf(units).map(rowLength));
}

/** Sizes of a pass of these sequences. A prompt that several of them share is in it once but for its last token, from which each goes on. */
export function passSize(units: readonly PassUnit[]): PassSize {
  let [numTokens, numScored] = [0, 0];
  const prompts = new Set<object>();
  for (const row of sequencesOf(units)) {
    const { promptIds, sharedPrompt } = row;
    const isKnown = sharedPrompt !== undefined && prompts.has(sharedPrompt);
    numTokens += rowLength(row) - (isKnown ? Math.max(0, promptIds.length - 1) : 0);
    numScored += numScoredTokens(row);
    if (sharedPrompt) prompts.add(sharedPrompt);
  }
  return { numTokens, numScored };
}
