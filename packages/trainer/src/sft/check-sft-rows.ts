import { DataNotes, type DataRow, type Dataset } from "@kto/datasets";
import { expectRows, expectRowsLeft, lookAtRows } from "../data/look-at-rows.js";
import type { PrepareOptions } from "../data/prepare-options.js";
import type { CheckedRows, CheckOptions } from "../data/read-rows.js";
import { orEmpty, type DropReason } from "../data/rows.js";
import { toSftRows, type SftRows } from "./sft-rows.js";

/**
 * Looks at every row as `prepareSftDataset` would, up to the tokenizer. Throws `RowError` for everything that is wrong with rows, `DataFileError` for a dataset
 * without rows, `DataPreparationError` for `strict` and where every row was dropped.
 *
 * @param options  among them `datasetTextField`, the column of plain text; default `text`
 */
export async function checkSftRows(
  dataset: Dataset<DataRow>,
  options: CheckOptions & { datasetTextField?: string | undefined } = {},
): Promise<Omit<CheckedRows, "labels">> {
  const { notes = new DataNotes(), datasetTextField = "text" } = options;
  expectRows(dataset);
  const source = toSftRows(dataset, datasetTextField, notes);
  const dropped = Array.from(await checkAllRows(source, options), ([index, reason]) => ({ index, reason }));
  expectRowsLeft(dropped, source.length, options);
  const { format, unreadColumns } = source;
  return { format, dropped, unreadColumns, notes: notes.list() };
}

/** Reads every row once. Throws the RowError of everything that is wrong; gives those that are empty. */
export function checkAllRows(
  { length, at }: SftRows,
  options: Pick<PrepareOptions, "signal" | "onProgress">,
): Promise<Map<number, DropReason>> {
  return lookAtRows(
    { length, numSourceRows: length, look: (index, mistakes) => mistakes.try(() => orEmpty(() => void at(index))) },
    options,
  );
}
