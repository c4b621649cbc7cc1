import type { DataRow, Dataset } from "@kto/datasets";
import { reportOf, reportSequence, type DataReport, type ReportOptions, type ReportSequence } from "../data/data-report.js";
import type { PrepareOptions } from "../data/prepare-options.js";
import { preparePairDataset } from "./prepare-pair-dataset.js";

/** A pair as the trainers of pairs see it. */
export interface PairSample {
  sourceIndex: number;
  chosen: ReportSequence;
  rejected: ReportSequence;
}

/** What DPO, ORPO and CPO would see of a dataset. Lengths are those of both answers, each with its prompt; what is dropped are answers. */
export interface PairDataReport extends DataReport<PairSample> {
  /** Pairs whose two answers are the same tokens. */
  numIdentical: number;
}

/** Prepares a dataset as the trainers of pairs would and says what came of it. Throws as {@link preparePairDataset} does. */
export async function pairDataReport(dataset: Dataset<DataRow>, options: PrepareOptions & ReportOptions = {}): Promise<PairDataReport> {
  const prepared = await preparePairDataset(dataset, options);
  const report = reportOf(dataset, prepared, options, ({ sourceIndex, chosen, rejected }) => ({
    sourceIndex,
    chosen: reportSequence(chosen, options.tokenizer),
    rejected: reportSequence(rejected, options.tokenizer),
  }));
  return { ...report, numIdentical: prepared.numIdentical };
}
