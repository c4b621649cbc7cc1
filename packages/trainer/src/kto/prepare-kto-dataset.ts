import { DataNotes, isPaired, type DataRow, type Dataset } from "@kto/datasets";
import { klCompletionSources, type KtoLossType } from "@kto/losses/plain";

import { checkConfig } from "../config/check-config.js";
import { ktoContradictions } from "../config/kto-config.js";
import { ktoFields } from "../config/kto-fields.js";
import { DataPreparationError } from "../data/errors.js";
import { formatsOf } from "../data/layout-parts.js";
import { measureRows } from "../data/lengths.js";
import type { PrepareOptions } from "../data/prepare-options.js";
import type { PreparedDataset } from "../data/prepared-dataset.js";
import { lazyRows, sketchesOf, type RowSequence } from "../data/row-sequence.js";
import { cutRow, type ScoredRow, type SourceRow } from "../data/rows.js";
import { classBalance, type ClassBalance, type ClassWeights } from "./class-balance.js";
import { tokenizeRows, type TokenizedRow } from "../data/read-rows.js";

/** One row as the KTO trainer takes it, cut to `maxLength`. */
export interface KtoRow extends ScoredRow, SourceRow {
  /** `true` for a desirable completion. */
  label: boolean;
  /** The completion of another row of the same block, for the KL estimate, cut as it fits behind this prompt; absent where the loss needs none. */
  klCompletionIds?: readonly number[];
  /** What the reference says of the row, in nats, where that was computed beforehand. */
  refLogProb?: number;
  /** What it says of the prompt with the borrowed completion. */
  refKlLogProb?: number;
}

/** Options of {@link prepareKtoDataset}. */
export interface PrepareKtoOptions extends PrepareOptions, ClassWeights {
  /** Size of the blocks in which completions are rotated for the KL estimate; also for evaluation data. Default 8. */
  perDeviceTrainBatchSize?: number;
  /** `apo_zero_unpaired` has no KL estimate and needs no rotated completions. Default `kto`. */
  lossType?: KtoLossType;
}

/** What {@link prepareKtoDataset} gives. */
export interface PreparedKtoDataset extends PreparedDataset<KtoRow> {
  classBalance: ClassBalance;
}

/**
 * Rows for the KTO trainer, with trl 1.16's rules and in its order: rows of other layouts are made trl's, implicit prompts are taken out, pairs unpaired, the EOS text is appended to plain
 * completions, rows are tokenised, over-long prompts dropped, completions rotated by one inside blocks of `perDeviceTrainBatchSize`, and what is too long is cut.
 *
 * Rows with `prompt_ids` and `completion_ids` need no tokenizer. Throws `RowError` for all rows that cannot be used, `DataFileError` for a dataset without
 * rows, `DataPreparationError` for batch size 1 with `kto`, a missing tokenizer, when every row was dropped, or any under `strict`.
 *
 * @see trl 1.16, KTOTrainer
 */
export async function prepareKtoDataset(dataset: Dataset<DataRow>, options: PrepareKtoOptions = {}): Promise<PreparedKtoDataset> {
  const { maxLength = 1024, perDeviceTrainBatchSize = 8, lossType = "kto", notes = new DataNotes() } = options;
  checkConfig(
    "prepareKtoDataset",
    ktoFields,
    { perDeviceTrainBatchSize, lossType },
    {
      contradictions: ktoContradictions,
      toError: (text) => new DataPreparationError(text),
    },
  );
  const { rows: tokenized, ...read } = await tokenizeRows(dataset, { ...options, notes });
  if (formatsOf(read.format).some(({ type }) => isPaired(type)))
    notes.add("unpaired", "each pair is two rows: the chosen answer is desirable, the rejected one undesirable");
  const sources = lossType === "kto" ? Uint32Array.from(klCompletionSources(tokenized.length, perDeviceTrainBatchSize)) : undefined;
  const rowOf =
    (wholeAt: (index: number) => TokenizedRow) =>
    (index: number): KtoRow => {
      const { label, ...row } = wholeAt(index);
      const klCompletionIds = sources && { klCompletionIds: wholeAt(sources[index]!).completionIds };
      return cutKtoRow({ ...row, label: label!, ...klCompletionIds }, maxLength);
    };
  const sketchAt = sketchesOf(tokenized);
  return {
    rows: lazyRows(
      tokenized.length,
      rowOf((index) => tokenized.at(index)!),
      rowOf(sketchAt),
    ),
    ...read,
    notes: notes.list(),
    classBalance: classBalance(labelsOf(tokenized), options),
    ...measureRows(tokenized, maxLength),
  };
}

function* labelsOf(rows: RowSequence<TokenizedRow>): Generator<boolean> {
  const sketchAt = sketchesOf(rows);
  for (let index = 0; index < rows.length; index++) yield sketchAt(index).label!;
}

/** The prompt of a row with the completion that it borrows. */
export function mismatched({ promptIds, klCompletionIds }: KtoRow): ScoredRow {
  return { promptIds, completionIds: klCompletionIds ?? [] };
}

function cutKtoRow(row: KtoRow, maxLength: number | null): KtoRow {
  const cut = cutRow(row, maxLength);
  return row.klCompletionIds === undefined ? cut : { ...cut, klCompletionIds: cutRow(mismatched(row), maxLength).completionIds };
}
