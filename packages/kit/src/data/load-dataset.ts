import { loadPlace } from "#platform";
import { blobSource, type ListedDirectory } from "@kto/core";
import { DataFileError, loadDataset as readDataset, type DataRow, type Dataset } from "@kto/datasets";
import { withoutSplits, type LoadDatasetOptions } from "./file-options.js";

/**
 * Rows of a data file (JSON Lines, JSON, CSV, TSV, Parquet, Arrow, told apart by content), or of a split of a folder or of a data set of the hub, of which
 * only the files of that split are fetched. `Row` is the caller's claim of what is in them; the trainer checks each row.
 *
 * @param place  a file, a folder, an address (browser), a name on the hub `owner/name[@revision]`, a `Blob`, or a directory of files
 * @throws DataFileError for one that cannot be read or holds no rows, FormatError with the line or row, HubError
 */
export async function loadDataset<Row extends object = DataRow>(
  place: string | Blob | ListedDirectory,
  options: LoadDatasetOptions = {},
): Promise<Dataset<Row>> {
  const name = typeof place === "string" ? place : ((place as { name?: string }).name ?? "data");
  const dataset = await rowsOf(place, options);
  if (dataset.length > 0) return dataset as unknown as Dataset<Row>;
  throw new DataFileError(`data: ${name} has no rows; expected at least 1, got 0; check that it was written completely`, { file: name });
}

function rowsOf(place: string | Blob | ListedDirectory, options: LoadDatasetOptions): Promise<Dataset> {
  if (typeof place === "string") return loadPlace(place, options);
  const { split, config, maxRows, rowIndex, signal, onProgress, onNote } = options;
  if (!(place instanceof Blob)) return readDataset(place, { maxRows, rowIndex, signal, onProgress, onNote, split, config });
  const source = blobSource(place);
  return readDataset(source, { ...withoutSplits(source.name ?? "the file", options), name: source.name });
}
