import { ArgumentError, blobSource, type ByteSource, bytesSource, type ListedDirectory } from "@kto/core";
import type { RowIndexStore } from "./bytes/row-index.js";
import { DataFileError } from "./errors.js";

/** What a reader takes: text, bytes, a `Blob`, or anything that gives ranges of bytes. */
export type DataSource = string | Uint8Array | ArrayBuffer | Blob | ByteSource;

/** How far a reader has come. */
export interface ReadProgress {
  loadedBytes: number;
  totalBytes: number;
  /** Rows read so far. */
  rows: number;
}

/** Options of every reader. */
export interface ReadOptions {
  /** Name of the data for error messages; default `"data"`, for a file its path. */
  name?: string;
  /** Only the first so many rows; JSON and Parquet are read no further than that. Default: all. */
  maxRows?: number;
  /**
   * What of the rows of JSON and CSV is kept in memory, at most; default 64 MiB. In Node larger files are read where they lie, or, where they are compressed or
   * not there as a file, from one that is made for them and goes with the process.
   */
  maxResidentBytes?: number;
  /** Where the index of a large JSON file is kept, so that the next start need not go through its rows to find them. In Node only. */
  rowIndex?: RowIndexStore;
  /** Called after each piece that was read. */
  onProgress?: (progress: ReadProgress) => void;
  /** Stops the reading; the reader then rejects with `signal.reason`. */
  signal?: AbortSignal;
}

/** Any {@link DataSource} as ranges of bytes. */
export function toByteSource(source: DataSource): ByteSource {
  if (typeof source === "string") return bytesSource(new TextEncoder().encode(source));
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return bytesSource(source);
  return source instanceof Blob ? blobSource(source) : source;
}

/** Bytes `start` to `end` of a source; throws `DataFileError` when it gives another number of bytes. */
export async function readBytes(source: ByteSource, start: number, end: number, name: string): Promise<Uint8Array> {
  const bytes = await source.slice(start, end);
  if (bytes.byteLength !== end - start) {
    throw new DataFileError(
      `read: ${name} ended early; expected ${end - start} bytes from ${start}, got ${bytes.byteLength}; was it changed while being read?`,
      {
        file: name,
      },
    );
  }
  return bytes;
}

/** Opens a file that a directory lists; the caller disposes it. Throws `DataFileError` when it is not there after all. */
export async function openListed(directory: ListedDirectory, path: string): Promise<ByteSource> {
  const source = await directory.open(path);
  if (source) return source;
  const name = `${directory.name}/${path}`;
  throw new DataFileError(`loadDataset: ${name} is not there; expected the file that the directory lists, got none; is it complete?`, {
    file: name,
  });
}

/** How many rows a reader gives at most. Throws `ArgumentError` when that is no number of rows. */
export function rowLimit(operation: string, maxRows: number | undefined): number {
  if (maxRows === undefined) return Infinity;
  if (Number.isInteger(maxRows) && maxRows >= 1) return maxRows;
  throw new ArgumentError(
    `${operation}: maxRows is not a number of rows; expected an integer of at least 1, got ${maxRows}; leave it out for all rows`,
  );
}

/** Throws `DataFileError` when a reader found no row. */
export function expectRows(operation: string, numRows: number, name: string): void {
  if (numRows > 0) return;
  throw new DataFileError(`${operation}: ${name} holds no rows; expected at least 1, got 0; check that it is the file you mean`, {
    file: name,
  });
}
