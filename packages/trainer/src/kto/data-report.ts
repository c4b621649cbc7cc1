import type { DataRow, Dataset } from "@kto/datasets";
import { reportOf, reportSequence, type DataReport, type ReportOptions, type ReportSequence } from "../data/data-report.js";
import type { ClassBalance } from "./class-balance.js";
import { prepareKtoDataset, type PrepareKtoOptions } from "./prepare-kto-dataset.js";

/** A row as the KTO trainer sees it. */
export interface KtoSample extends ReportSequence {
  sourceIndex: number;
  label: boolean;
}

/** What KTO would see of a dataset; a pair is two rows. */
export interface KtoDataReport extends DataReport<KtoSample> {
  classBalance: ClassBalance;
}

/** Prepares a dataset as the KTO trainer would and says what came of it. Throws as {@link prepareKtoDataset} does. */
export async function ktoDataReport(dataset: Dataset<DataRow>, options: PrepareKtoOptions & ReportOptions = {}): Promise<KtoDataReport> {
  const prepared = await prepareKtoDataset(dataset, options);
  const report = reportOf(dataset, prepared, options, (row) => ({
    sourceIndex: row.sourceIndex,
    label: row.label,
    ...reportSequence(row, options.tokenizer),
  }));
  return { ...report, classBalance: prepared.classBalance };
}
