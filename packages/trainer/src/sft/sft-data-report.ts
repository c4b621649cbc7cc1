import type { DataRow, Dataset } from "@kto/datasets";
import { reportOf, reportSequence, type DataReport, type ReportOptions, type ReportSequence } from "../data/data-report.js";
import { prepareSftDataset, type PreparedSftDataset, type PrepareSftOptions } from "./prepare-sft-dataset.js";
import { withEosToken } from "./eos-token.js";

/** A row as the SFT trainer sees it. */
export interface SftReportSample {
  sourceIndex: number;
  /** Of a packed row: the rows that are in it. */
  packedFrom?: readonly number[];
  /** One, or those that are packed together: none attends to another. */
  documents: ReportSequence[];
}

/** What SFT would see of a dataset. Lengths are those of documents, from the first scored token on what is called completion. */
export interface SftDataReport extends DataReport<SftReportSample>, Pick<PreparedSftDataset, "packing" | "tokens"> {}

/** Prepares a dataset as the SFT trainer would and says what came of it. Throws as {@link prepareSftDataset} does. */
export async function sftDataReport(dataset: Dataset<DataRow>, options: PrepareSftOptions & ReportOptions = {}): Promise<SftDataReport> {
  const tokenizer = withEosToken(options.tokenizer, options.eosToken ?? null);
  const prepared = await prepareSftDataset(dataset, { ...options, tokenizer });
  const report = reportOf(dataset, prepared, options, ({ sourceIndex, packedFrom, documents }) => ({
    sourceIndex,
    ...(packedFrom && { packedFrom }),
    documents: documents.map((document) => reportSequence(document, tokenizer)),
  }));
  return { ...report, packing: prepared.packing, tokens: prepared.tokens };
}
