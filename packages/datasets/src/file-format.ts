import type { ByteSource } from "@kto/core";
import { DataFileError } from "./errors.js";
import { readBytes } from "./source.js";

/** The kinds of data file that can be read. */
export type FileFormat = "jsonl" | "json" | "csv" | "tsv" | "parquet";

const FORMAT_OF_EXTENSION = new Map<string, FileFormat>([
  ["parquet", "parquet"],
  ["jsonl", "jsonl"],
  ["ndjson", "jsonl"],
  ["json", "json"],
  ["csv", "csv"],
  ["tsv", "tsv"],
]);

/** Bytes looked at to tell formats apart: enough to pass a byte-order mark and leading blanks. */
const HEAD_BYTES = 1024;

/** The format that the extension of a file's name stands for, or undefined. */
export function formatOfName(name: string): FileFormat | undefined {
  return FORMAT_OF_EXTENSION.get(/\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? "");
}

/**
 * The format of a data file: Parquet by its magic bytes, otherwise by the extension of `name`, otherwise by its first character
 * (`[` is JSON, `{` is JSON Lines, which `.json` files often are). Throws `DataFileError` when neither tells.
 */
export async function detectFileFormat(source: ByteSource, name: string): Promise<FileFormat> {
  const head = new TextDecoder().decode(await readBytes(source, 0, Math.min(HEAD_BYTES, source.byteLength), name));
  if (head.startsWith("PAR1")) return "parquet";
  const first = head.trimStart()[0];
  const byContent = first === "[" ? "json" : first === "{" ? "jsonl" : undefined;
  const byExtension = formatOfName(name);
  const format = byExtension === undefined || byExtension === "json" ? (byContent ?? byExtension) : byExtension;
  if (format) return format;
  throw new DataFileError(
    `loadDataset: the format of ${name} is unknown; expected .jsonl, .json, .csv, .tsv or .parquet, or content that begins with "{", "[" or "PAR1"; rename the file or call its reader`,
    { file: name },
  );
}
