import { Dataset, detectFormat, extractPrompt, unpairedPlace, unpairPreferenceDataset, type DataRow, type RowFormat } from "@kto/datasets";

/** Rows `prompt, completion, label` or `prompt_ids, completion_ids, label` of a dataset, whatever form it came in. */
export interface PreferenceRows {
  format: RowFormat;
  rows: Dataset<DataRow>;
  /** Index in the dataset given (for pairs: of the pair) of row `index`. */
  sourceIndex(index: number): number;
}

/**
 * trl's first two steps: the shared prompt is taken out of pairs without one, then pairs are unpaired. Rows are made as they are read.
 * Throws `RowError` for columns that are no preference data.
 */
export function toPreferenceRows(dataset: Dataset<DataRow>): PreferenceRows {
  const format = detectFormat(dataset);
  if (format.type !== "paired" && format.type !== "implicit-prompt") return { format, rows: dataset, sourceIndex: (index) => index };
  const pairs = format.type === "implicit-prompt" ? withPrompts(dataset) : dataset;
  return { format, rows: unpairPreferenceDataset(pairs), sourceIndex: (index) => unpairedPlace(index, dataset.length).pair };
}

function withPrompts(dataset: Dataset<DataRow>): Dataset<DataRow> {
  const { length } = dataset;
  return Dataset.from({ length, at: (index: number) => (index < length ? extractPrompt(dataset.at(index), index) : undefined) });
}
