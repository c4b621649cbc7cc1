import { loadPlace } from "#platform";
import { blobSource, type ListedDirectory } from "@kto/core";
import { DataFileError, loadDataset as readDataset, type DataRow, type Dataset, type ReadProgress } from "@kto/datasets";
import type { HubPlaceOptions } from "../platform/types.js";

/** Which rows are read, and how. */
export interface LoadDatasetOptions {
  /** A split of a folder or of a data set of the hub; needed where there are several. */
  split?: string | undefined;
  /** A configuration of a data set of the hub. */
  config?: string | undefined;
  /** The first so many rows. */
  maxRows?: number | undefined;
  /** Branch, tag or commit of a data set of the hub; its name may hold one instead, after `@`. */
  revision?: string | undefined;
  hub?: HubPlaceOptions | undefined;
  signal?: AbortSignal | undefined;
  onProgress?(progress: ReadProgress): void;
  /** Is told which commit of a data set of the hub was read. */
  onCommit?(commit: string): void;
}

/**
 * Rows of a data file (JSON Lines, JSON, CSV, TSV, Parquet, told apart by content), or of a split of a folder or of a data set of the hub, of which
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
  const { split, config, maxRows, signal, onProgress } = options;
  const reading = { maxRows, signal, onProgress };
  if (!(place instanceof Blob)) return readDataset(place, { ...reading, split, config });
  const source = blobSource(place);
  return readDataset(source, { ...reading, name: source.name });
}
