import { DataNotes, isPaired, layoutOfDataset, rowError, type DataNote, type DataRow, type Dataset, type RowFormat } from "@kto/datasets";
import { rowLengths, type RowLengths } from "../data/lengths.js";
import { DataPreparationError } from "../data/errors.js";
import type { PrepareOptions } from "../data/prepare-options.js";
import { checkRows, tokenizeRows, type CheckedRows, type CheckOptions, type TokenizedRow } from "../data/read-rows.js";
import { cutRow, rowLength, type DroppedRow, type ScoredRow, type SourceRow } from "../data/rows.js";

/** A pair as trainers take it: two answers to one prompt, each cut to `maxLength`. */
export interface PairRow extends SourceRow {
  chosen: ScoredRow;
  rejected: ScoredRow;
  /** What the reference says of the two answers, in nats, where that was computed beforehand. */
  refChosenLogProb?: number;
  refRejectedLogProb?: number;
}

/** What {@link preparePairDataset} gives. */
export interface PreparedPairDataset {
  rows: PairRow[];
  /** Sides that were dropped; the other side of such a pair is not trained on either. */
  dropped: DroppedRow[];
  /** Form of the rows given. */
  format: RowFormat;
  /** Columns of the data that are not read. */
  unreadColumns: string[];
  /** Pairs whose two answers are the same tokens: they teach nothing, and are trained on, as in trl. */
  numIdentical: number;
  /** Of both answers of all pairs. */
  lengths: RowLengths;
  /** Tokens of both answers of each pair, each with its prompt, before they were cut. */
  sequenceLengths: number[];
  /** What is worth knowing of how the rows were read, one of a kind. */
  notes: DataNote[];
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
  const pairs = joinSides(sides);
  if (pairs.length === 0)
    throw new DataPreparationError({
      operation: "data",
      problem: "every pair was dropped",
      expected: "at least one pair of which both answers can be trained on",
      got: `${read.dropped.length} dropped answers`,
      advice: "mend them, or raise {maxLength}",
      fields: ["maxLength"],
    });
  const numIdentical = pairs.filter(({ chosen, rejected }) => isSame(chosen.completionIds, rejected.completionIds)).length;
  if (numIdentical > 0) {
    const count =
      numIdentical === 1 ? "1 pair has the same answer twice: it teaches" : `${numIdentical} pairs have the same answer twice: they teach`;
    notes.add("identical answers", `${count} nothing`);
  }
  const answers = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  return {
    rows: pairs.map(({ chosen, rejected, sourceIndex }) => ({
      chosen: cutRow(chosen, maxLength),
      rejected: cutRow(rejected, maxLength),
      sourceIndex,
    })),
    ...read,
    numIdentical,
    lengths: rowLengths(answers, maxLength),
    sequenceLengths: answers.map(rowLength),
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
  const { shape, title } = layoutOfDataset(dataset);
  if (isPaired(shape)) return;
  throw rowError(0, {
    problem: "there is no pair of answers",
    expected: "chosen and rejected, with or without prompt; or prompt_ids, chosen_ids and rejected_ids",
    got: title,
    advice: "this method compares two answers to one prompt; KTO trains on single answers with a label",
  });
}

/** Pairs of which both sides are there, in the order of the data. */
function joinSides(sides: readonly TokenizedRow[]): { chosen: ScoredRow; rejected: ScoredRow; sourceIndex: number }[] {
  const rejectedOf = new Map(sides.filter(({ label }) => !label).map((row) => [row.sourceIndex, row]));
  return sides.flatMap((row) => {
    const rejected = row.label && rejectedOf.get(row.sourceIndex);
    return rejected ? [{ chosen: idsOf(row), rejected: idsOf(rejected), sourceIndex: row.sourceIndex }] : [];
  });
}

function idsOf({ promptIds, completionIds }: ScoredRow): ScoredRow {
  return { promptIds, completionIds };
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, position) => id === b[position]);
}
