import { DataNotes, isPaired, layoutOfDataset, RowError, type DataRow, type Dataset } from "@kto/datasets";
import { measureRows } from "../data/lengths.js";
import { DataPreparationError } from "../data/errors.js";
import type { PrepareOptions } from "../data/prepare-options.js";
import type { PreparedDataset } from "../data/prepared-dataset.js";
import { GrowingArray } from "../data/growing-array.js";
import { checkRows, tokenizeRows, type CheckedRows, type CheckOptions, type TokenizedRow } from "../data/read-rows.js";
import { lazyRows, mappedRows, selectedRows, sketchesOf, type RowSequence } from "../data/row-sequence.js";
import { cutRow, sameIds, type ScoredRow, type SourceRow } from "../data/rows.js";

/** A pair as trainers take it: two answers to one prompt, each cut to `maxLength`. */
export interface PairRow extends SourceRow {
  chosen: ScoredRow;
  rejected: ScoredRow;
  /** What the reference says of the two answers, in nats, where that was computed beforehand. */
  refChosenLogProb?: number;
  refRejectedLogProb?: number;
}

/**
 * What {@link preparePairDataset} gives. What is dropped are sides; the other side of such a pair is not trained on either. Lengths are those of both answers of all
 * pairs, each with its prompt.
 */
export interface PreparedPairDataset extends PreparedDataset<PairRow> {
  /** Pairs whose two answers are the same tokens: they teach nothing, and are trained on, as in trl. */
  numIdentical: number;
}

/**
 * Pairs for DPO, ORPO and CPO, with trl 1.16's rules and in its order: rows of other layouts are made trl's, implicit prompts are taken out, the EOS text is appended
 * to plain answers, rows are tokenised, pairs with an over-long prompt or an answer without tokens dropped, and what is too long is cut.
 *
 * Throws `RowError` for all rows that cannot be used and for data that is no pairs, `DataFileError` for a dataset without rows, `DataPreparationError` for a missing
 * tokenizer, when every pair was dropped, or any under `strict`.
 *
 * @see trl 1.16, DPOTrainer
 */
export async function preparePairDataset(dataset: Dataset<DataRow>, options: PrepareOptions = {}): Promise<PreparedPairDataset> {
  const { maxLength = 1024, notes = new DataNotes() } = options;
  expectPairs(dataset);
  const { rows: sides, ...read } = await tokenizeRows(dataset, { ...options, notes });
  const places = joinSides(sides);
  const pairs = lazyRows(
    places.length,
    pairAt(places, (side) => sides.at(side)!),
    pairAt(places, sketchesOf(sides)),
  );
  if (pairs.length === 0)
    throw new DataPreparationError({
      operation: "data",
      problem: "every pair was dropped",
      expected: "at least one pair of which both answers can be trained on",
      got: `${read.dropped.length} dropped answers`,
      advice: "mend them, or raise {maxLength}",
      fields: ["maxLength"],
    });
  const numIdentical = countIdentical(pairs);
  if (numIdentical > 0) {
    const count =
      numIdentical === 1 ? "1 pair has the same answer twice: it teaches" : `${numIdentical} pairs have the same answer twice: they teach`;
    notes.add("identical answers", `${count} nothing`);
  }
  const answers = selectedRows(sides, places.sides);
  return {
    rows: mappedRows(pairs, ({ chosen, rejected, sourceIndex }) => ({
      chosen: cutRow(chosen, maxLength),
      rejected: cutRow(rejected, maxLength),
      sourceIndex,
    })),
    ...read,
    numIdentical,
    ...measureRows(answers, maxLength),
    notes: notes.list(),
  };
}

/** Looks at every pair as {@link preparePairDataset} would, up to the tokenizer. Throws as {@link checkRows} does, and for data that is no pairs. */
export function checkPairRows(dataset: Dataset<DataRow>, options: CheckOptions = {}): Promise<CheckedRows> {
  expectPairs(dataset);
  return checkRows(dataset, options);
}

/** Throws `RowError` for data without two answers to choose from. */
function expectPairs(dataset: Dataset<DataRow>): void {
  if (dataset.length === 0) return; // is told of as data of every method is
  for (const part of dataset.parts?.parts ?? [{ name: undefined, dataset }]) {
    const { shape, title } = layoutOfDataset(part.dataset, undefined, part.name);
    if (isPaired(shape)) continue;
    throw new RowError(
      {
        operation: part.name ?? "row 0",
        problem: "there is no pair of answers",
        expected: "chosen and rejected, with or without prompt; or prompt_ids, chosen_ids and rejected_ids",
        got: title,
        advice: "this method compares two answers to one prompt; KTO trains on single answers with a label",
      },
      { row: 0 },
    );
  }
}

/** Pairs of which both sides are there, in the order of the data: the places of their sides among the tokenised rows, chosen and rejected in turn. */
interface PairPlaces {
  readonly length: number;
  readonly sides: Uint32Array;
}

function joinSides(sides: RowSequence<TokenizedRow>): PairPlaces {
  const sketchAt = sketchesOf(sides);
  let numPairs = 0;
  for (let side = 0; side < sides.length; side++) numPairs = Math.max(numPairs, sketchAt(side).sourceIndex + 1);
  const rejectedOf = new Int32Array(numPairs).fill(-1);
  for (let side = 0; side < sides.length; side++) {
    const { label, sourceIndex } = sketchAt(side);
    if (!label) rejectedOf[sourceIndex] = side;
  }
  const found = new GrowingArray(new Uint32Array(0));
  for (let side = 0; side < sides.length; side++) {
    const { label, sourceIndex } = sketchAt(side);
    if (!label || rejectedOf[sourceIndex]! < 0) continue;
    found.push(side);
    found.push(rejectedOf[sourceIndex]!);
  }
  return { length: found.length / 2, sides: found.toArray() };
}

function pairAt({ sides }: PairPlaces, sideAt: (side: number) => TokenizedRow): (index: number) => PairRow {
  return (index) => {
    const chosen = sideAt(sides[2 * index]!);
    return { chosen: idsOf(chosen), rejected: idsOf(sideAt(sides[2 * index + 1]!)), sourceIndex: chosen.sourceIndex };
  };
}

/** Pairs of the same answer twice. Only those are read whose answers are as long as each other. */
function countIdentical(pairs: RowSequence<PairRow>): number {
  const sketchAt = sketchesOf(pairs);
  let count = 0;
  for (let index = 0; index < pairs.length; index++) {
    const sketch = sketchAt(index);
    if (sketch.chosen.completionIds.length !== sketch.rejected.completionIds.length) continue;
    const { chosen, rejected } = pairs.at(index)!;
    if (sameIds(chosen.completionIds, rejected.completionIds)) count++;
  }
  return count;
}

function idsOf({ promptIds, completionIds }: ScoredRow): ScoredRow {
  return { promptIds, completionIds };
}
