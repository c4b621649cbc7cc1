import type { DataNote, DataRow, Dataset, RowFormat } from "@kto/datasets";

import { lengthHistogram, type HistogramBin, type RowLengths } from "../data/lengths.js";
import { reportTokens, type ReportToken } from "../data/report-tokens.js";
import type { DroppedRow } from "../data/rows.js";
import type { Tokenizer } from "../data/tokenizer.js";
import type { ClassBalance } from "./class-balance.js";
import { prepareKtoDataset, type KtoRow, type PrepareKtoOptions } from "./prepare-kto-dataset.js";

/** A row as the trainer sees it. */
export interface ReportSample {
  sourceIndex: number;
  label: boolean;
  /** Prompt and completion as text, special tokens included. Absent when the tokenizer cannot decode. */
  promptText?: string;
  completionText?: string;
  /** The sequence, cut to `maxLength`. */
  tokens: ReportToken[];
}

/** What training would see of a dataset. JSON all through. */
export interface DataReport {
  columns: string[];
  /** Those of them that are not read. */
  unreadColumns: string[];
  format: RowFormat;
  /** Rows in the data; rows that are trained on (a pair is two); rows dropped. */
  counts: { source: number; prepared: number; dropped: number };
  classBalance: ClassBalance;
  lengths: RowLengths;
  /** Sequence lengths before anything is cut. */
  histogram: HistogramBin[];
  dropped: DroppedRow[];
  /** What is worth knowing of how the rows were read, one of a kind. */
  notes: DataNote[];
  samples: ReportSample[];
}

/** Options of {@link dataReport}. */
export interface DataReportOptions extends PrepareKtoOptions {
  /** Samples from the start of the prepared rows; default 3. */
  head?: number;
}

/** Prepares a dataset as the trainer would and says what came of it. Throws as {@link prepareKtoDataset} does. */
export async function dataReport(dataset: Dataset<DataRow>, options: DataReportOptions = {}): Promise<DataReport> {
  const { rows, dropped, format, classBalance, lengths, sequenceLengths, notes, unreadColumns } = await prepareKtoDataset(dataset, options);
  const { head = 3, tokenizer } = options;
  return {
    columns: [...dataset.columnNames],
    unreadColumns,
    format,
    counts: { source: dataset.length, prepared: rows.length, dropped: dropped.length },
    classBalance,
    lengths,
    histogram: lengthHistogram(sequenceLengths),
    dropped,
    notes,
    samples: rows.slice(0, head).map((row) => sampleOf(row, tokenizer)),
  };
}

function sampleOf({ promptIds, completionIds, label, sourceIndex }: KtoRow, tokenizer: Tokenizer | undefined): ReportSample {
  const text = (ids: number[]): string | undefined => tokenizer?.decode?.(ids, { skipSpecialTokens: false });
  const ids = [...promptIds, ...completionIds];
  return {
    sourceIndex,
    label,
    ...(tokenizer?.decode && { promptText: text(ids.slice(0, promptIds.length)), completionText: text(ids.slice(promptIds.length)) }),
    tokens: reportTokens({ promptIds, completionIds }, tokenizer),
  };
}
