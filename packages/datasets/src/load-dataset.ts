import { readCsv } from "./csv.js";
import type { Dataset } from "./dataset.js";
import { DataFileError } from "./errors.js";
import { readJson } from "./json.js";
import { readJsonl } from "./jsonl.js";
import { readParquet } from "./parquet.js";
import { readBytes, toByteSource, type ByteSource, type DataSource, type ReadOptions } from "./source.js";

/** The kinds of data file that can be read. */
export type FileFormat = "jsonl" | "json" | "csv" | "tsv" | "parquet";

const FORMAT_OF_EXTENSION = new Map<string, FileFormat>([
  ["jsonl", "jsonl"],
  ["ndjson", "jsonl"],
  ["json", "json"],
  ["csv", "csv"],
  ["tsv", "tsv"],
  ["parquet", "parquet"],
]);

/** Bytes looked at to tell formats apart: enough to pass a byte-order mark and leading blanks. */
const HEAD_BYTES = 1024;

/**
 * The format of a data file: Parquet by its magic bytes, otherwise by the extension of `name`, otherwise by its first character
 * (`[` is JSON, `{` is JSON Lines, which `.json` files often are). Throws `DataFileError` when neither tells.
 */
export async function detectFileFormat(source: ByteSource, name: string): Promise<FileFormat> {
  const head = new TextDecoder().decode(await readBytes(source, 0, Math.min(HEAD_BYTES, source.byteLength), name));
  if (head.startsWith("PAR1")) return "parquet";
  const first = head.trimStart()[0];
  const byContent = first === "[" ? "json" : first === "{" ? "jsonl" : undefined;
  const byExtension = FORMAT_OF_EXTENSION.get(/\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? "");
  const format = byExtension === undefined || byExtension === "json" ? (byContent ?? byExtension) : byExtension;
  if (format) return format;
  throw new DataFileError(
    `loadDataset: the format of ${name} is unknown; expected .jsonl, .json, .csv, .tsv or .parquet, or content that begins with "{", "[" or "PAR1"; rename the file or call its reader`,
    { file: name },
  );
}

/** Rows of a data file in any of the formats, told apart by `name` and content. Throws as the reader of that format does. */
export async function loadDataset(source: DataSource, options: ReadOptions = {}): Promise<Dataset> {
  const { name = "data" } = options;
  const bytes = toByteSource(source);
  if (bytes.byteLength === 0) {
    throw new DataFileError(`loadDataset: ${name} is empty; expected rows, got 0 bytes; check that it was written completely`, {
      file: name,
    });
  }
  switch (await detectFileFormat(bytes, name)) {
    case "jsonl":
      return readJsonl(bytes, options);
    case "json":
      return readJson(bytes, options);
    case "csv":
      return readCsv(bytes, options);
    case "tsv":
      return readCsv(bytes, { ...options, separator: "\t" });
    case "parquet":
      return readParquet(bytes, options);
  }
}
