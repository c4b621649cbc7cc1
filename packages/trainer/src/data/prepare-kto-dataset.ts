import { DataFileError, labelOf, RowError, type DataRow, type Dataset, type RowFormat } from "@kto/datasets";
import { klCompletionSources, type KtoLossType } from "@kto/losses/plain";

import { checkKtoConfig } from "../config/kto-config.js";
import { classBalance, type ClassBalance, type ClassWeights } from "./class-balance.js";
import { DataPreparationError } from "./errors.js";
import { rowLengths, type RowLengths } from "./lengths.js";
import { toPreferenceRows } from "./preference-rows.js";
import { tokenizeRow, type TokenizedRow, type TokenizeOptions } from "./tokenize-row.js";

/** One row as the KTO trainer takes it. Ids are whole: the collator cuts them. */
export interface KtoRow extends TokenizedRow {
  /** The completion of another row of the same block, for the KL estimate; absent where the loss needs none. */
  klCompletionIds?: number[];
  /** `true` for a desirable completion. */
  label: boolean;
  /** Index of the row in the dataset given; for pairs, of the pair. */
  sourceIndex: number;
}

/** A row that is not trained on. */
export interface DroppedRow {
  /** Index of the row in the dataset given; for pairs, of the pair. */
  index: number;
  reason: string;
}

/** How far preparation has come. */
export interface PrepareProgress {
  done: number;
  total: number;
}

/** Options of {@link prepareKtoDataset}. */
export interface PrepareKtoOptions extends TokenizeOptions, ClassWeights {
  /** Rows whose prompt alone is this long are dropped, longer rows are cut by the collator; null for neither. Default 1024, as in trl. */
  maxLength?: number | null;
  /** Size of the blocks in which completions are rotated for the KL estimate; also for evaluation data. Default 8. */
  perDeviceTrainBatchSize?: number;
  /** `apo_zero_unpaired` has no KL estimate and needs no rotated completions. Default `kto`. */
  lossType?: KtoLossType;
  /** Called every hundred rows and at the end. */
  onProgress?: (progress: PrepareProgress) => void;
  /** Stops the work; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal;
}

/** What {@link prepareKtoDataset} gives. */
export interface PreparedKtoDataset {
  rows: KtoRow[];
  dropped: DroppedRow[];
  /** Form of the rows given. */
  format: RowFormat;
  classBalance: ClassBalance;
  lengths: RowLengths;
}

const ROWS_BETWEEN_REPORTS = 100;

/**
 * Rows for the KTO trainer, with trl 1.16's rules and in its order: implicit prompts are taken out, pairs unpaired, the EOS text is appended to plain
 * completions, rows are tokenised, over-long prompts dropped, and completions rotated by one inside blocks of `perDeviceTrainBatchSize`.
 *
 * Rows with `prompt_ids` and `completion_ids` need no tokenizer. Throws `RowError` for a row that cannot be used, `DataFileError` for a dataset without
 * rows, `DataPreparationError` for batch size 1 with `kto`, a missing tokenizer, or when every row was dropped.
 *
 * @see specs: preference losses, sections 0.3, 1.3 and 2
 */
export async function prepareKtoDataset(dataset: Dataset<DataRow>, options: PrepareKtoOptions = {}): Promise<PreparedKtoDataset> {
  const { maxLength = 1024, perDeviceTrainBatchSize = 8, lossType = "kto" } = options;
  checkKtoConfig("prepareKtoDataset", { perDeviceTrainBatchSize, lossType }, (message) => new DataPreparationError(message));
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
    const ids = tokenizeRow(row, place, options);
    const label = labelOf(row, place);
    const reason = reasonToDrop(ids, maxLength);
    if (reason === undefined) rows.push({ ...ids, label, sourceIndex: place });
    else dropped.push({ index: place, reason });
    await report(index + 1, source.length, options);
  }
  if (rows.length === 0) {
    throw new DataPreparationError(
      `prepareKtoDataset: every row was dropped; expected a prompt shorter than maxLength ${maxLength}, got ${dropped.length} longer ones; raise maxLength`,
    );
  }
  return {
    rows: lossType === "kto" ? withKlCompletions(rows, perDeviceTrainBatchSize) : rows,
    dropped,
    format,
    ...summary(rows, maxLength, options),
  };
}

/** Why trl would not train on a row, or undefined if it would. */
export function reasonToDrop({ promptIds }: TokenizedRow, maxLength: number | null): string | undefined {
  if (maxLength === null || promptIds.length < maxLength) return undefined;
  return `the prompt fills max_length: ${promptIds.length} of ${maxLength} tokens`;
}

function withKlCompletions(rows: KtoRow[], blockSize: number): KtoRow[] {
  const sources = klCompletionSources(rows.length, blockSize);
  return rows.map((row, index) => ({ ...row, klCompletionIds: rows[sources[index]!]!.completionIds }));
}

function summary(rows: KtoRow[], maxLength: number | null, weights: ClassWeights): { classBalance: ClassBalance; lengths: RowLengths } {
  const balance = classBalance(
    rows.map((row) => row.label),
    weights,
  );
  return { classBalance: balance, lengths: rowLengths(rows, maxLength) };
}

/** Reports progress, and now and then lets other work of the event loop run. */
async function report(done: number, total: number, { onProgress, signal }: PrepareKtoOptions): Promise<void> {
  if (done % ROWS_BETWEEN_REPORTS !== 0 && done !== total) return;
  onProgress?.({ done, total });
  await new Promise((resolve) => setTimeout(resolve));
  signal?.throwIfAborted();
}

function expectMaxLength(maxLength: number | null): void {
  if (maxLength === null || (Number.isInteger(maxLength) && maxLength >= 2)) return;
  throw new DataPreparationError(
    `prepareKtoDataset: maxLength is not a number of tokens; expected an integer of at least 2, or null, got ${maxLength}; pass e.g. 1024`,
  );
}
