import { DataFileError, DataNotes, labelOf, RowError, type DataNote, type DataRow, type Dataset, type RowFormat } from "@kto/datasets";
import { klCompletionSources, type KtoLossType } from "@kto/losses/plain";

import { checkConfig } from "../config/check-config.js";
import { ktoContradictions } from "../config/kto-config.js";
import { ktoFields } from "../config/kto-fields.js";
import { DataPreparationError } from "../data/errors.js";
import { rowLengths, type RowLengths } from "../data/lengths.js";
import { expectMaxLength, reportProgress, type PrepareOptions } from "../data/prepare-options.js";
import { cutRow, reasonToDrop, rowLength, type DroppedRow, type ScoredRow, type SourceRow } from "../data/rows.js";
import { tokenizeRow } from "../data/tokenize-row.js";
import { classBalance, type ClassBalance, type ClassWeights } from "./class-balance.js";
import { toPreferenceRows } from "./preference-rows.js";

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
export interface PreparedKtoDataset {
  rows: KtoRow[];
  dropped: DroppedRow[];
  /** Form of the rows given. */
  format: RowFormat;
  classBalance: ClassBalance;
  lengths: RowLengths;
  /** Tokens of each row before it was cut. */
  sequenceLengths: number[];
  /** What is worth knowing of how the rows were read, one of a kind. */
  notes: DataNote[];
}

/**
 * Rows for the KTO trainer, with trl 1.16's rules and in its order: implicit prompts are taken out, pairs unpaired, the EOS text is appended to plain
 * completions, rows are tokenised, over-long prompts dropped, completions rotated by one inside blocks of `perDeviceTrainBatchSize`, and what is too long is cut.
 *
 * Rows with `prompt_ids` and `completion_ids` need no tokenizer. Throws `RowError` for a row that cannot be used, `DataFileError` for a dataset without
 * rows, `DataPreparationError` for batch size 1 with `kto`, a missing tokenizer, or when every row was dropped.
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
  expectMaxLength(maxLength);
  if (dataset.length === 0) {
    throw new DataFileError("prepareKtoDataset: the dataset is empty; expected at least 1 row, got 0; check that it is the data you mean");
  }
  const { rows: source, format, sourceIndex } = toPreferenceRows(dataset);
  if (format.type === "prompt-completion") {
    throw new RowError(
      'row 0: the column "label" is missing; expected true or false in each row, got ' + JSON.stringify(dataset.columnNames) + "; add it",
      { row: 0, column: "label" },
    );
  }

  const rows: KtoRow[] = [];
  const dropped: DroppedRow[] = [];
  for (let index = 0; index < source.length; index++) {
    const place = sourceIndex(index);
    const row = source.at(index);
    const ids = tokenizeRow(row, place, { ...options, notes });
    const label = labelOf(row, place);
    const reason = reasonToDrop(ids, maxLength);
    if (reason === undefined) rows.push({ ...ids, label, sourceIndex: place });
    else dropped.push({ index: place, reason });
    await reportProgress(index + 1, source.length, options);
  }
  if (rows.length === 0) {
    throw new DataPreparationError(
      `prepareKtoDataset: every row was dropped; expected a prompt shorter than maxLength ${maxLength}, got ${dropped.length} longer ones; raise maxLength`,
    );
  }
  return {
    rows: (lossType === "kto" ? withKlCompletions(rows, perDeviceTrainBatchSize) : rows).map((row) => cutKtoRow(row, maxLength)),
    dropped,
    format,
    classBalance: classBalance(
      rows.map((row) => row.label),
      options,
    ),
    lengths: rowLengths(rows, maxLength),
    sequenceLengths: rows.map(rowLength),
    notes: notes.list(),
  };
}

/** The prompt of a row with the completion that it borrows. */
export function mismatched({ promptIds, klCompletionIds }: KtoRow): ScoredRow {
  return { promptIds, completionIds: klCompletionIds ?? [] };
}

function withKlCompletions(rows: KtoRow[], blockSize: number): KtoRow[] {
  const sources = klCompletionSources(rows.length, blockSize);
  return rows.map((row, index) => ({ ...row, klCompletionIds: rows[sources[index]!]!.completionIds }));
}

function cutKtoRow(row: KtoRow, maxLength: number | null): KtoRow {
  const cut = cutRow(row, maxLength);
  return row.klCompletionIds === undefined ? cut : { ...cut, klCompletionIds: cutRow(mismatched(row), maxLength).completionIds };
}
