import type { ListedDirectory } from "@kto/core";
import * as source from "./index.js";
import { withFile } from "./file-source.js";
import type { CsvOptions, Dataset, LoadSplitOptions, ReadOptions } from "./index.js";

export { folderDirectory } from "./folder-directory.js";

/** Options of the readers of files; the name for messages is the path. */
export type FileReadOptions = Omit<ReadOptions, "name">;

/** {@link source.readJson} of the file at `path`. */
export function readJson(path: string, options: FileReadOptions = {}): Promise<Dataset> {
  return withFile("readJson", path, (file) => source.readJson(file, { ...options, name: path }));
}

/** {@link source.readCsv} of the file at `path`. */
export function readCsv(path: string, options: Omit<CsvOptions, "name"> = {}): Promise<Dataset> {
  return withFile("readCsv", path, (file) => source.readCsv(file, { ...options, name: path }));
}

/** {@link source.readParquet} of the file at `path`; only one row group is decoded at a time. */
export function readParquet(path: string, options: FileReadOptions = {}): Promise<Dataset> {
  return withFile("readParquet", path, (file) => source.readParquet(file, { ...options, name: path }));
}

/** {@link source.readArrow} of the file at `path`. */
export function readArrow(path: string, options: FileReadOptions = {}): Promise<Dataset> {
  return withFile("readArrow", path, (file) => source.readArrow(file, { ...options, name: path }));
}

/**
 * {@link source.loadDataset} of the file at `path`: JSON Lines, JSON, CSV, TSV, Parquet or Arrow by extension and content; or of a split of a directory,
 * which is a folder (`folderDirectory`) or a repository of the hub.
 */
export function loadDataset(path: string, options?: FileReadOptions): Promise<Dataset>;
export function loadDataset(directory: ListedDirectory, options?: LoadSplitOptions): Promise<Dataset>;
export function loadDataset(place: string | ListedDirectory, options: LoadSplitOptions = {}): Promise<Dataset> {
  if (typeof place !== "string") return source.loadDataset(place, options);
  return withFile("loadDataset", place, (file) => source.loadDataset(file, { ...options, name: place }));
}
