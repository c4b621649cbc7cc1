import type { DataRow, Dataset } from "@kto/datasets";
import { checkRows, describeBalance, ktoDataReport, type CheckOptions, type ClassBalance } from "@kto/trainer";
import { fieldName } from "../errors.js";
import { formatCount } from "../render/format.js";
import { balanceBar } from "../render/histogram.js";
import { preferenceColumns } from "./preference-columns.js";
import type { CheckedView, DataView, Fact } from "./method.js";

/** Columns of the bar between the counts of the classes: what a window of 40 has room for beside one of them. */
const balanceWidth = 16;

/** What KTO would see of data. */
export async function ktoView(dataset: Dataset<DataRow>, options: Parameters<typeof ktoDataReport>[1]): Promise<DataView> {
  const report = await ktoDataReport(dataset, options);
  const { classBalance, samples } = report;
  const warning = describeBalance(classBalance, fieldName);
  const said = { ...report, classBalance: { ...classBalance, ...(warning !== undefined && { warning }) } };
  return {
    report: said,
    facts: [classes(classBalance), ...(warning === undefined ? [] : [["warning", warning] as const])],
    sequences: samples.map((sample) => ({
      sourceIndex: sample.sourceIndex,
      title: sample.label ? "desirable" : "undesirable",
      sequence: sample,
    })),
  };
}

/** The same without a tokenizer. */
export async function ktoCheck(dataset: Dataset<DataRow>, options: CheckOptions): Promise<CheckedView> {
  const { labels, ...checked } = await checkRows(dataset, options);
  const desirable = labels.filter(Boolean).length;
  const classBalance = { desirable, undesirable: labels.length - desirable };
  return { checked, own: { classBalance }, facts: [classes(classBalance)], ...preferenceColumns };
}

function classes({ desirable, undesirable }: Pick<ClassBalance, "desirable" | "undesirable">): Fact {
  const balance = balanceBar(desirable, undesirable, balanceWidth);
  return ["classes", `${formatCount(desirable)} desirable ${balance} ${formatCount(undesirable)} undesirable`];
}
