import type { ByteSource } from "@kto/core";

import { Dataset, type DataRow } from "./dataset.js";
import { expectRows, rowLimit, toByteSource, type DataSource, type ReadOptions } from "./source.js";
import { tableRows } from "./tables/table.js";

/**
 * Rows of a Parquet file: plain columns, lists, structs and maps (`list<struct<role, content>>` becomes an array of messages), compressed with snappy, zstd,
 * gzip, lz4 or not at all, in Node with brotli too. 64-bit integers become numbers where they fit exactly, whole floats inside lists and structs `Float`,
 * times, decimals and bytes a `ForeignValue`. Rows are made when they are read, from the file's bytes, which are kept.
 *
 * Throws `FormatError` for a file that is not Parquet, is cut off, encrypted or damaged, or becomes more than a table of its size does; `DataFileError` when
 * there is no row.
 */
export async function readParquet(source: DataSource, options: ReadOptions = {}): Promise<Dataset> {
  const { name = "data", onProgress } = options;
  const bytes = toByteSource(source);
  const parts: Dataset[] = [];
  let rows = 0;
  for await (const { group, loadedBytes } of parquetGroups(bytes, name, options)) {
    parts.push(group);
    rows += group.length;
    onProgress?.({ loadedBytes, totalBytes: bytes.byteLength, rows });
  }
  expectRows("readParquet", rows, name);
  return Dataset.concatenate(parts);
}

/** The rows of a Parquet file one row group at a time, each read when it is asked for. Throws as {@link readParquet} does. */
export async function* readParquetGroups(
  source: DataSource,
  options: Pick<ReadOptions, "name" | "signal" | "maxRows"> = {},
): AsyncGenerator<DataRow[]> {
  for await (const { group } of parquetGroups(toByteSource(source), options.name ?? "data", options)) yield group.toArray();
}

async function* parquetGroups(
  source: ByteSource,
  name: string,
  { signal, maxRows }: Pick<ReadOptions, "signal" | "maxRows">,
): AsyncGenerator<{ group: Dataset; loadedBytes: number }> {
  let left = rowLimit("readParquet", maxRows);
  const { ParquetFile } = await import("./parquet/parquet-file.js"); // here, so that a page that reads JSON Lines does without it
  const file = await ParquetFile.open(source, name);
  let loadedBytes = 0;
  for (let index = 0; index < file.numGroups && left > 0; index++) {
    signal?.throwIfAborted();
    const { columns, numRows, byteLength } = await file.group(index, left);
    loadedBytes = Math.min(loadedBytes + byteLength, source.byteLength);
    left -= numRows;
    yield { group: Dataset.from(tableRows(columns, numRows)), loadedBytes };
  }
}
