import { supervisedLayouts, type DataRow, type Dataset } from "@kto/datasets";
import {
  checkSftRows,
  sftDataReport,
  type CheckOptions,
  type PreparedSftDataset,
  type PrepareSftOptions,
  type ReportOptions,
} from "@kto/trainer";
import { formatCount, formatCounted } from "../render/format.js";
import type { CheckedView, DataView } from "./method.js";

/** What SFT would see of data: of packed rows each document. */
export async function sftView(dataset: Dataset<DataRow>, options: PrepareSftOptions & ReportOptions): Promise<DataView> {
  const report = await sftDataReport(dataset, options);
  const { counts, packing, samples, tokens } = report;
  return {
    report,
    facts: [
      ["scored", describeScored(tokens)],
      ...(packing === null ? [] : [["packed", describePacking(packing, counts.prepared)] as const]),
    ],
    sequences: samples.flatMap(({ sourceIndex, packedFrom, documents }) =>
      documents.map((sequence, index) => ({
        sourceIndex: packedFrom?.[index] ?? sourceIndex,
        title: packedFrom === undefined ? "" : `document ${index + 1} of ${documents.length} of a row`,
        sequence,
      })),
    ),
  };
}

/** The same without a tokenizer. */
export async function sftCheck(dataset: Dataset<DataRow>, options: CheckOptions & { datasetTextField: string }): Promise<CheckedView> {
  const checked = await checkSftRows(dataset, options);
  const { datasetTextField } = options;
  return {
    checked,
    own: {},
    facts: [],
    layouts: supervisedLayouts(datasetTextField),
    answers: ["completion", "chosen"],
    whole: ["messages", datasetTextField],
  };
}

/** `12 rows of 49 documents (bfd)`. */
export function describePacking({ strategy, numDocuments }: NonNullable<PreparedSftDataset["packing"]>, numRows: number): string {
  return `${formatCounted(numRows, "row")} of ${formatCounted(numDocuments, "document")} (${strategy})`;
}

/** `1,204 of 3,310 tokens`. */
export function describeScored({ total, scored }: PreparedSftDataset["tokens"]): string {
  return `${formatCount(scored)} of ${formatCounted(total, "token")}`;
}
