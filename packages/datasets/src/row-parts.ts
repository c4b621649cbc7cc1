import type { Dataset, DataRow } from "./dataset.js";

/** One of the datasets that rows come from. */
export interface DatasetPart {
  /** What it is called in messages. */
  name: string;
  dataset: Dataset<DataRow>;
}

/** The datasets that rows come from, each with a layout of its own. */
export interface RowParts {
  readonly parts: readonly DatasetPart[];
  /** Which of them row `index` is of. */
  partOf(index: number): number;
}

/** The parts of some of the rows, or of rows in another order. */
export function selectedParts(given: RowParts | undefined, indices: ArrayLike<number>): RowParts | undefined {
  return given && { parts: given.parts, partOf: (index) => given.partOf(indices[index]!) };
}
