import type { DataNote, DataRow, Dataset } from "@kto/datasets";
import type { DataFormat } from "./layout-parts.js";
import { lengthHistogram, type HistogramBin, type RowLengths } from "./lengths.js";
import type { PreparedDataset } from "./prepared-dataset.js";
import { reportTokens, type ReportToken } from "./report-tokens.js";
import type { DroppedRow, ScoredRow } from "./rows.js";
import type { Tokenizer } from "./tokenizer.js";

/** A sequence of a sample as the trainer sees it. */
export interface ReportSequence {
  /** Prompt and completion as text, special tokens included. Absent when the tokenizer cannot decode. */
  promptText?: string;
  completionText?: string;
  /** The sequence, cut to `maxLength`. */
  tokens: ReportToken[];
}

/** What training would see of a dataset, whatever the method. JSON all through. */
export interface DataReport<Sample extends object = object> {
  columns: string[];
  /** Those of them that are not read. */
  unreadColumns: string[];
  format: DataFormat;
  /** Rows in the data; rows that are trained on, as the method counts them; rows or answers dropped. */
  counts: { source: number; prepared: number; dropped: number };
  lengths: RowLengths;
  /** Lengths of sequences before anything is cut. */
  histogram: HistogramBin[];
  dropped: DroppedRow[];
  /** What is worth knowing of how the rows were read, one of a kind. */
  notes: DataNote[];
  samples: Sample[];
}

/** What a report is asked for besides how the data is prepared. */
export interface ReportOptions {
  /** Samples from the start of the prepared rows; default 3. */
  head?: number | undefined;
}

/** The report of data that was prepared; `sampleOf` shows one of its rows. */
export function reportOf<Row, Sample extends object>(
  dataset: Dataset<DataRow>,
  { rows, dropped, format, unreadColumns, lengths, sequenceLengths, notes }: PreparedDataset<Row>,
  { head = 3 }: ReportOptions,
  sampleOf: (row: Row) => Sample,
): DataReport<Sample> {
  return {
    columns: [...dataset.columnNames],
    unreadColumns,
    format,
    counts: { source: dataset.length, prepared: rows.length, dropped: dropped.length },
    lengths,
    histogram: lengthHistogram(sequenceLengths),
    dropped,
    notes,
    samples: rows.slice(0, head).map(sampleOf),
  };
}

/** A row as a sequence of tokens, each with whether it is scored: the first never, since nothing stands before it. */
export function reportSequence(row: ScoredRow, tokenizer: Tokenizer | undefined): ReportSequence {
  const { promptIds, completionIds } = row;
  const text = (ids: readonly number[]): string => tokenizer!.decode!([...ids], { skipSpecialTokens: false });
  return {
    ...(tokenizer?.decode && { promptText: text(promptIds), completionText: text(completionIds) }),
    tokens: reportTokens(row, tokenizer),
  };
}
