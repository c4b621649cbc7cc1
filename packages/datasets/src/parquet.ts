import type * as Hyparquet from "hyparquet";
import type * as HyparquetCompressors from "hyparquet-compressors";
import { FormatError, type ByteSource } from "@kto/core";
import type { AsyncBuffer, FileMetaData } from "hyparquet";

import { Dataset, type DataRow } from "./dataset.js";
import { expectRows, readBytes, rowLimit, toByteSource, type DataSource, type ReadOptions } from "./source.js";

type ParquetLibrary = Pick<typeof Hyparquet, "parquetMetadataAsync" | "parquetReadObjects"> &
  Pick<typeof HyparquetCompressors, "compressors">;

/** Decoder and decompressors, loaded when the first Parquet file is read: a page that reads JSON Lines does without their 100 kB. */
async function parquetLibrary(): Promise<ParquetLibrary> {
  const [{ parquetMetadataAsync, parquetReadObjects }, { compressors }] = await Promise.all([
    import("hyparquet"),
    import("hyparquet-compressors"),
  ]);
  return { parquetMetadataAsync, parquetReadObjects, compressors };
}

/** Rows one row group may hold: far above what writers make, and below what would exhaust memory before the first row is seen. */
const MAX_ROWS_PER_GROUP = 50_000_000;

/**
 * Rows of a Parquet file: plain columns, lists and structs (`list<struct<role, content>>` becomes an array of messages), compressed with snappy, zstd, gzip or not at all.
 * 64-bit integers become numbers where they fit exactly. Throws `FormatError` for a file that is not Parquet or cannot be decoded, `DataFileError` when there is no row.
 */
export async function readParquet(source: DataSource, options: ReadOptions = {}): Promise<Dataset> {
  const { name = "data", onProgress } = options;
  const bytes = toByteSource(source);
  const rows: DataRow[] = [];
  for await (const { group, loadedBytes } of parquetGroups(bytes, name, options)) {
    for (const row of group) rows.push(row);
    onProgress?.({ loadedBytes, totalBytes: bytes.byteLength, rows: rows.length });
  }
  expectRows("readParquet", rows.length, name);
  return Dataset.from(rows);
}

/** The rows of a Parquet file one row group at a time, so that only one group is decoded at once. */
export async function* readParquetGroups(
  source: DataSource,
  options: Pick<ReadOptions, "name" | "signal" | "maxRows"> = {},
): AsyncGenerator<DataRow[]> {
  for await (const { group } of parquetGroups(toByteSource(source), options.name ?? "data", options)) yield group;
}

async function* parquetGroups(
  source: ByteSource,
  name: string,
  { signal, maxRows }: Pick<ReadOptions, "signal" | "maxRows">,
): AsyncGenerator<{ group: DataRow[]; loadedBytes: number }> {
  const limit = rowLimit("readParquet", maxRows);
  const file = asyncBufferOf(source, name);
  const { parquetMetadataAsync } = await parquetLibrary();
  const metadata = await decoding(name, () => parquetMetadataAsync(file));
  let rowStart = 0;
  let loadedBytes = 0;
  for (const { num_rows, total_byte_size, total_compressed_size } of metadata.row_groups) {
    if (rowStart === limit) return;
    signal?.throwIfAborted();
    const rowEnd = Math.min(rowStart + checkedRows(num_rows, name), limit);
    const group = await readGroup(file, metadata, rowStart, rowEnd, name);
    loadedBytes = Math.min(loadedBytes + Number(total_compressed_size ?? total_byte_size), source.byteLength);
    rowStart = rowEnd;
    yield { group, loadedBytes };
  }
}

async function readGroup(file: AsyncBuffer, metadata: FileMetaData, rowStart: number, rowEnd: number, name: string): Promise<DataRow[]> {
  const { parquetReadObjects, compressors } = await parquetLibrary();
  const rows = await decoding(name, () => parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors }));
  if (rows.length !== rowEnd - rowStart) {
    throw new FormatError(
      `readParquet: ${name} holds fewer rows than it says; expected ${rowEnd - rowStart} from row ${rowStart}, got ${rows.length}; write it again`,
      {
        source: name,
      },
    );
  }
  return rows.map((row) => toPlainValues(row) as DataRow);
}

function checkedRows(numRows: bigint, name: string): number {
  if (numRows >= 0n && numRows <= MAX_ROWS_PER_GROUP) return Number(numRows);
  throw new FormatError(
    `readParquet: ${name} has a row group of an impossible size; expected 0 to ${MAX_ROWS_PER_GROUP} rows, got ${numRows}; is the file damaged?`,
    {
      source: name,
    },
  );
}

function asyncBufferOf(source: ByteSource, name: string): AsyncBuffer {
  return {
    byteLength: source.byteLength,
    async slice(start, end = source.byteLength) {
      const bytes = await readBytes(source, start, Math.min(end, source.byteLength), name);
      return new Uint8Array(bytes).buffer; // a copy: the slice of a Node Buffer shares a larger one
    },
  };
}

async function decoding<Result>(name: string, decode: () => Promise<Result>): Promise<Result> {
  try {
    return await decode();
  } catch (cause) {
    throw new FormatError(
      `readParquet: ${name} cannot be decoded; expected a Parquet file, got one for which "${(cause as Error).message}"; is it complete?`,
      {
        source: name,
        cause,
      },
    );
  }
}

/** The value with each 64-bit integer as a number where that is exact, and null wherever there is nothing; lists and structs are changed in place. */
function toPlainValues(value: unknown): unknown {
  if (value === undefined) return null;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = toPlainValues(value[index]);
  } else if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    const fields = value as DataRow;
    for (const key of Object.keys(fields)) fields[key] = toPlainValues(fields[key]);
  }
  return value;
}
