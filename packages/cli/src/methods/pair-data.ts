import type { DataRow, Dataset } from "@kto/datasets";
import { checkPairRows, pairDataReport, type CheckOptions, type PrepareOptions, type ReportOptions } from "@kto/trainer";
import { formatCount } from "../render/format.js";
import { preferenceColumns } from "./preference-columns.js";
import type { CheckedView, DataView } from "./method.js";

/** What the methods of pairs would see of data: of each pair both answers. */
export async function pairView(dataset: Dataset<DataRow>, options: PrepareOptions & ReportOptions): Promise<DataView> {
  const report = await pairDataReport(dataset, options);
  return {
    report,
    facts: [["identical", `${formatCount(report.numIdentical)} with the same answer twice`]],
    sequences: report.samples.flatMap(({ sourceIndex, chosen, rejected }) => [
      { sourceIndex, title: "chosen", sequence: chosen },
      { sourceIndex, title: "rejected", sequence: rejected },
    ]),
  };
}

/** The same without a tokenizer. */
export async function pairCheck(dataset: Dataset<DataRow>, options: CheckOptions): Promise<CheckedView> {
  const { labels: _labels, ...checked } = await checkPairRows(dataset, options);
  return { checked, own: {}, facts: [], ...preferenceColumns };
}
