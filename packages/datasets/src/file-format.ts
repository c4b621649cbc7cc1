import type { ByteSource } from "@kto/core";
import { compressionOf } from "./bytes/compression.js";
import { headOf, headText } from "./bytes/utf8.js";
import { layoutOf } from "./csv/header.js";
import { isArrow } from "./arrow/magic.js";
import { DataFileError } from "./errors.js";
import { readBytes } from "./source.js";

/** The kinds of data file that can be read. */
export type FileFormat = "jsonl" | "json" | "csv" | "tsv" | "parquet" | "arrow";

const FORMAT_OF_EXTENSION = new Map<string, FileFormat>([
  ["parquet", "parquet"],
  ["arrow", "arrow"],
  ["jsonl", "jsonl"],
  ["ndjson", "jsonl"],
  ["json", "json"],
  ["csv", "csv"],
  ["tsv", "tsv"],
]);

/** Extensions of compressed files, which stand behind that of what is in them. */
const COMPRESSED = /\.(?:gz|gzip|zst|zstd|bz2)$/i;

const PARQUET_MARK = "PAR1";

/** The extension of a file's name in small letters, "" for none; that of a compressed file is what is in it. */
export function extensionOf(name: string): string {
  return /\.(\w+)$/.exec(name.replace(COMPRESSED, ""))?.[1]?.toLowerCase() ?? "";
}

/** The format that the extension of a file's name stands for, or undefined; that of a compressed file is what is in it. */
export function formatOfName(name: string): FileFormat | undefined {
  return FORMAT_OF_EXTENSION.get(extensionOf(name));
}

/**
 * The format of a data file, compressed or not, by its content: Parquet and Arrow by their marks, JSON by its first character (`[` an array, `{` rows one after
 * another), a table by columns that training reads in its first line. Where the content does not tell, by the extension of `name`.
 * Throws `DataFileError` when neither does, and for a file that shows it is something else.
 */
export async function detectFileFormat(source: ByteSource, name: string): Promise<FileFormat> {
  const head = await headOf(source);
  if (latin1(head.subarray(0, 4)) === PARQUET_MARK) return "parquet";
  if (isArrow(head)) return "arrow";
  const text = await headText(source, name);
  const named = formatOfName(name);
  const found = formatOfText(text, named) ?? named;
  if (text.startsWith(PARQUET_MARK) || (found === "parquet" && COMPRESSED.test(name))) {
    throw new DataFileError(
      `loadDataset: ${name} is a Parquet file that was compressed as a whole; expected the Parquet file, which is compressed inside, got ${compressionOf(head) ?? "another file"}; decompress it`,
      { file: name },
    );
  }
  if (await endsAsParquet(source, name)) {
    throw new DataFileError(
      `loadDataset: ${name} ends like a Parquet file and does not begin like one; expected ${PARQUET_MARK} at both ends, got it at the end only; its beginning is lost or overwritten: fetch or write it again`,
      { file: name },
    );
  }
  if (found) return found;
  throw new DataFileError(
    `loadDataset: the format of ${name} is unknown; expected .jsonl, .json, .csv, .tsv, .parquet or .arrow, or content that begins with "{", "[" or "PAR1", or with a line of column names such as prompt,completion,label; rename the file or call its reader`,
    { file: name },
  );
}

/** What the first letters of a text file show. */
function formatOfText(text: string, named: FileFormat | undefined): FileFormat | undefined {
  const start = text.trimStart();
  const isTable = named === "csv" || named === "tsv";
  if (/^\[\s*(?:[{[\]]|$)/.test(start) || (start.startsWith("[") && !isTable)) return "json";
  if (/^\{\s*(?:["}]|$)/.test(start) || (start.startsWith("{") && !isTable)) return "jsonl";
  if (isTable) return named;
  const { knownColumns, numCells, separator } = layoutOf(start.split(/[\r\n]/, 1)[0]!);
  if (knownColumns === 0 || numCells < 2) return undefined;
  return separator === "\t" ? "tsv" : "csv";
}

async function endsAsParquet(source: ByteSource, name: string): Promise<boolean> {
  const { byteLength } = source;
  return byteLength >= 12 && latin1(await readBytes(source, byteLength - 4, byteLength, name)) === PARQUET_MARK;
}

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
