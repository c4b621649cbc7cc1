import type { DataNote, DataRow, Dataset, RowFormat } from "@kto/datasets";
import { lengthHistogram, type HistogramBin, type RowLengths } from "../data/lengths.js";
import { reportTokens, type ReportToken } from "../data/report-tokens.js";
import type { DroppedRow } from "../data/rows.js";
import { prepareSftDataset, type PreparedSftDataset, type PrepareSftOptions } from "./prepare-sft-dataset.js";

/** A row as the trainer sees it. */
export interface SftReportSample {
  sourceIndex: number;
  /** Of a packed row: the rows of the data that it holds. */
  packedFrom?: readonly number[];
  /** Its documents, cut to `maxLength` together; one where rows are not packed. */
  documents: { tokens: ReportToken[] }[];
}

/** What supervised fine-tuning would see of a dataset. JSON all through. */
export interface SftDataReport {
  columns: string[];
  /** Those of them that are not read. */
  unreadColumns: string[];
  format: RowFormat;
  /** Rows in the data; rows that are trained on; rows of which nothing is scored. */
  counts: { source: number; prepared: number; dropped: number };
  packing: PreparedSftDataset["packing"];
  /** Of all rows together, as they are trained on. */
  tokens: { total: number; scored: number };
  lengths: RowLengths;
  /** Lengths of documents before anything is cut. */
  histogram: HistogramBin[];
  dropped: DroppedRow[];
  /** What is worth knowing of how the rows were read, one of a kind. */
  notes: DataNote[];
  samples: SftReportSample[];
}

/** Options of {@link sftDataReport}. */
export interface SftDataReportOptions extends PrepareSftOptions {
  /** Samples from the start of the prepared rows; default 3. */
  head?: number;
}

/** Prepares a dataset as the SFT trainer would and says what came of it. Throws as {@link prepareSftDataset} does. */
export async function sftDataReport(dataset: Dataset<DataRow>, options: SftDataReportOptions = {}): Promise<SftDataReport> {
  const { rows, sequenceLengths, ...prepared } = await prepareSftDataset(dataset, options);
  const { head = 3, tokenizer } = options;
  return {
    columns: [...dataset.columnNames],
    ...prepared,
    counts: { source: dataset.length, prepared: rows.length, dropped: prepared.dropped.length },
    histogram: lengthHistogram(sequenceLengths),
    samples: rows.slice(0, head).map(({ documents, ...row }) => ({
      ...row,
      documents: documents.map((document) => ({ tokens: reportTokens(document, tokenizer) })),
    })),
  };
}
