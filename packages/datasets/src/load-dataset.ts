import type { ByteSource, ListedDirectory } from "@kto/core";
import { readTable } from "./csv.js";
import { readArrow } from "./arrow.js";
import { RESIDENT_BYTES } from "./bytes/record-store.js";
import { Dataset } from "./dataset.js";
import { DataFileError } from "./errors.js";
import { detectFileFormat, type FileFormat } from "./file-format.js";
import { derivedFingerprint, watchBytes } from "./fingerprint.js";
import { readTypedJson } from "./json.js";
import { NumberTypes } from "./json/number-types.js";
import { readParquet } from "./parquet.js";
import { openListed, rowLimit, toByteSource, type DataSource, type ReadOptions } from "./source.js";
import { findSplitFiles, type SplitChoice } from "./split-files.js";

/** Options of {@link loadDataset} for a directory. */
export interface LoadSplitOptions extends Omit<ReadOptions, "name">, SplitChoice {
  /** Is told what is left out, in a sentence: files of another format than those that are read, patterns of README.md that match nothing. */
  onNote?(note: string): void;
}

/**
 * Rows of a data file in any of the formats, told apart by `name` and content; or those of a split of a directory, whose files follow each
 * other in the order of their names and are opened one at a time. Throws as the reader of that format and {@link findSplitFiles} do.
 */
export function loadDataset(source: DataSource, options?: ReadOptions): Promise<Dataset>;
export function loadDataset(directory: ListedDirectory, options?: LoadSplitOptions): Promise<Dataset>;
export async function loadDataset(source: DataSource | ListedDirectory, options: ReadOptions & LoadSplitOptions = {}): Promise<Dataset> {
  if (isDirectory(source)) return loadSplit(source, options);
  const { dataset, fingerprint } = await loadFile(source, options, new NumberTypes());
  return Dataset.withFingerprint(dataset, fingerprint);
}

function isDirectory(source: DataSource | ListedDirectory): source is ListedDirectory {
  return typeof source === "object" && "list" in source && "open" in source;
}

/** The rows of a file, and the fingerprint that they have where no other file changes the types of their numbers. */
interface LoadedFile {
  dataset: Dataset;
  fingerprint: string | undefined;
}

async function loadFile(given: DataSource, options: ReadOptions, types: NumberTypes): Promise<LoadedFile> {
  const { name = "data" } = options;
  const { source: bytes, fingerprint } = watchBytes(toByteSource(given));
  if (bytes.byteLength === 0) {
    throw new DataFileError(`loadDataset: ${name} is empty; expected rows, got 0 bytes; check that it was written completely`, {
      file: name,
    });
  }
  const format = await detectFileFormat(bytes, name);
  const dataset = await readAs(format, bytes, options, types, () => fingerprint("contents"));
  return { dataset, fingerprint: fingerprint([format, options.maxRows ?? null]) };
}

function readAs(
  format: FileFormat,
  bytes: ByteSource,
  options: ReadOptions,
  types: NumberTypes,
  contents: () => string | undefined,
): Promise<Dataset> {
  switch (format) {
    case "jsonl":
    case "json":
      return readTypedJson(bytes, options, types, contents);
    case "csv":
      return readTable(bytes, options, ",");
    case "tsv":
      return readTable(bytes, options, "\t");
    case "parquet":
      return readParquet(bytes, options);
    case "arrow":
      return readArrow(bytes, options);
  }
}

async function loadSplit(
  directory: ListedDirectory,
  { maxRows, maxResidentBytes, rowIndex, onProgress, signal, onNote, ...choice }: LoadSplitOptions,
): Promise<Dataset> {
  const limit = rowLimit("loadDataset", maxRows);
  const { files, columns, notes } = await findSplitFiles(directory, choice);
  for (const note of notes) onNote?.(note);
  const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
  const types = new NumberTypes(); // a column has one type in all files
  const parts: LoadedFile[] = [];
  let rows = 0;
  let bytesBefore = 0;
  // The bound is of all files together: what one of them leaves is the next one's.
  let residentBytes = maxResidentBytes ?? RESIDENT_BYTES;
  for (const { path, size } of files) {
    if (rows === limit) break;
    signal?.throwIfAborted();
    const name = `${directory.name}/${path}`;
    const source = await openListed(directory, path);
    try {
      const reading: ReadOptions = {
        name,
        ...(limit === Infinity ? {} : { maxRows: limit - rows }),
        ...(signal ? { signal } : {}),
        ...(rowIndex ? { rowIndex } : {}),
        maxResidentBytes: Math.max(0, residentBytes),
        onProgress: (progress) => onProgress?.({ loadedBytes: bytesBefore + progress.loadedBytes, totalBytes, rows: rows + progress.rows }),
      };
      const part = await loadFile(source, reading, types);
      parts.push(part);
      rows += part.dataset.length;
      bytesBefore += size;
      residentBytes -= Math.min(size, Math.max(0, residentBytes));
    } finally {
      await source.dispose?.();
    }
  }
  const fingerprint = derivedFingerprint(
    parts.map((part) => part.fingerprint),
    "files of a split",
  );
  const dataset = Dataset.withFingerprint(Dataset.concatenate(parts.map((part) => part.dataset)), fingerprint);
  return columns === undefined ? dataset : dataset.removeColumns(dataset.columnNames.filter((name) => !columns.includes(name)));
}
