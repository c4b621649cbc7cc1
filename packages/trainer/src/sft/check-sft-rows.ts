import { DataNotes, RowMistakes, type DataRow, type Dataset } from "@kto/datasets";
import { letOthersRun } from "../data/prepare-options.js";
import { expectRows, expectRowsLeft, rowsAtOnce, type CheckedRows, type CheckOptions } from "../data/read-rows.js";
import { orEmpty, type DroppedRow } from "../data/rows.js";
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
  const { notes = new DataNotes(), datasetTextField = "text", signal } = options;
  expectRows(dataset);
  const source = toSftRows(dataset, datasetTextField, notes);
  const dropped = await checkAllRows(source, signal);
  expectRowsLeft(dropped, source.length, options);
  const { format, unreadColumns } = source;
  return { format, dropped, unreadColumns, notes: notes.list() };
}

/** Reads every row once. Throws the RowError of everything that is wrong; gives those that are empty. */
export async function checkAllRows(source: SftRows, signal: AbortSignal | undefined): Promise<DroppedRow[]> {
  const mistakes = new RowMistakes();
  const dropped: DroppedRow[] = [];
  for (let index = 0; index < source.length; index++) {
    const reason = mistakes.try(() => orEmpty(() => void source.at(index)));
    if (reason !== undefined) dropped.push({ index, reason });
    if ((index + 1) % rowsAtOnce === 0) await letOthersRun(signal);
  }
  mistakes.throwIfAny(source.length);
  return dropped;
}
