import { beginsAsHtml, shorten } from "@kto/core";
import { DataFileError } from "../errors.js";

interface Foreign {
  /** What the file is. */
  what: string;
  /** What to do. */
  advice: string;
  /** Bytes that it begins with, or a test of its first bytes. */
  begins: readonly number[] | string | ((head: Uint8Array) => boolean);
}

const unpack = "unpack it and name the data file in it";

/** Files that people name as data although they hold no rows, or none that are read here, by their first bytes. */
const foreignFiles: readonly Foreign[] = [
  { what: "an archive in zip format (also .npz, .xlsx, PyTorch's .pt)", begins: "PK\x03\x04", advice: unpack },
  { what: "an empty zip archive", begins: "PK\x05\x06", advice: unpack },
  {
    what: "compressed with xz",
    begins: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    advice: "decompress it (unxz), or compress it with gzip, zstd or bzip2",
  },
  { what: "a 7z archive", begins: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], advice: unpack },
  { what: "a rar archive", begins: "Rar!\x1a\x07", advice: unpack },
  {
    what: "compressed with lz4",
    begins: [0x04, 0x22, 0x4d, 0x18],
    advice: "decompress it (unlz4), or compress it with gzip, zstd or bzip2",
  },
  { what: "a tar archive", begins: (head) => latin1(head.subarray(257, 262)) === "ustar", advice: unpack },
  { what: "a model in GGUF format", begins: "GGUF", advice: "name a file of rows" },
  {
    what: "a file of tensors in safetensors format",
    begins: (head) => head[8] === 0x7b && head.subarray(3, 8).every((byte) => byte === 0),
    advice: "name a file of rows",
  },
  {
    what: "a Python pickle (.pkl, an old .pt)",
    begins: (head) => head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5,
    advice: "write its rows as JSON Lines",
  },
  { what: "a numpy array", begins: "\x93NUMPY", advice: "write its rows as JSON Lines" },
  { what: "a file in HDF5 format", begins: "\x89HDF\r\n\x1a\n", advice: "write its rows as JSON Lines or Parquet" },
  { what: "a database of SQLite", begins: "SQLite format 3\0", advice: "export the table as CSV or JSON Lines" },
  { what: "a PDF", begins: "%PDF-", advice: "name a file of rows" },
  {
    what: "an old Excel or Word document",
    begins: [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1],
    advice: "save the sheet as CSV (UTF-8)",
  },
  { what: "an encrypted Parquet file", begins: "PARE", advice: "write it without encryption" },
  { what: "a file in ORC format", begins: "ORC", advice: "write it as Parquet" },
  { what: "a file in Avro format", begins: "Obj\x01", advice: "write it as Parquet" },
  {
    what: "a page of HTML",
    begins: (head) => beginsAsHtml(utf8(head)),
    advice:
      "fetch the file itself: on the hub its address has /resolve/ where the page has /blob/, and a private or gated file needs a token",
  },
  { what: "an XML document", begins: (head) => /^\s*<\?xml\b/.test(utf8(head)), advice: "write its rows as JSON Lines or CSV" },
  {
    what: "text in UTF-32",
    begins: (head) => latin1(head.subarray(0, 4)) === "\xff\xfe\0\0" || latin1(head.subarray(0, 4)) === "\0\0\xfe\xff",
    advice: "save it as UTF-8",
  },
];

const lfsPointer = "version https://git-lfs.github.com/spec/";

/** Throws DataFileError, which says what the file is and what to do, when its first bytes show that it holds no rows that are read here. */
export function refuseForeign(head: Uint8Array, name: string): void {
  if (utf8(head).startsWith(lfsPointer)) {
    const [, size = "an unknown number of"] = /^size (\d+)$/m.exec(utf8(head)) ?? [];
    throw new DataFileError(
      `read: ${name} is a pointer of Git LFS; expected the file itself, got where its ${size} bytes are kept; run git lfs pull in the clone, or fetch the file again`,
      { file: name },
    );
  }
  const foreign = foreignFiles.find(({ begins }) => (typeof begins === "function" ? begins(head) : startsWith(head, begins)));
  if (!foreign) return;
  throw new DataFileError(
    `read: ${name} is ${foreign.what}; expected rows as JSON, JSON Lines, CSV or Parquet, got ${shown(head)}; ${foreign.advice}`,
    {
      file: name,
    },
  );
}

function startsWith(head: Uint8Array, begins: readonly number[] | string): boolean {
  const bytes = typeof begins === "string" ? Array.from(begins, (letter) => letter.charCodeAt(0)) : begins;
  return bytes.every((byte, index) => head[index] === byte);
}

/** The first bytes for a message: text as it is, else in hexadecimal. */
function shown(head: Uint8Array): string {
  const start = head.subarray(0, 24);
  if (start.every((byte) => (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x0d || byte === 0x09))
    return shorten(latin1(start).trim(), 24);
  return Array.from(start.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const utf8 = (bytes: Uint8Array): string => new TextDecoder().decode(bytes.subarray(0, 1024));
