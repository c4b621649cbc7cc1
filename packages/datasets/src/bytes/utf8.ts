import { type ByteSource, bytesSource, FormatError } from "@kto/core";
import { type Compression, compressionOf, inflate } from "./compression.js";
import { DataFileError } from "../errors.js";
import { refuseForeign } from "./foreign-file.js";
import { type BytePiece, piecesOf } from "./pieces.js";

/** First bytes that show what a file is: enough for an archive's mark, a comment before the HTML, and the header of a table. */
const HEAD_BYTES = 2 ** 16;

/**
 * A text file as UTF-8 without a byte-order mark, in pieces, whatever it is stored as: inflated when it is compressed, and turned into UTF-8 when it is
 * UTF-16 (by its mark, or by its zero bytes). Whether the bytes are UTF-8 is for {@link decodeUtf8} to say.
 * Throws as `inflate`; DataFileError for a file of another kind.
 */
export async function* utf8Pieces(source: ByteSource, name: string, signal?: AbortSignal): AsyncGenerator<BytePiece> {
  const compression = compressionOf(await headOf(source));
  const pieces = compression ? inflate(compression, source, name, signal) : piecesOf(source, name, signal);
  let toUtf8: ((bytes: Uint8Array, isLast: boolean) => Uint8Array) | undefined;
  for await (const { bytes, loadedBytes } of pieces) {
    if (compression && !toUtf8) refuseSecond(compression, bytes, name);
    toUtf8 ??= converterFor(bytes, name);
    yield { bytes: toUtf8(bytes, false), loadedBytes };
  }
  const rest = toUtf8?.(new Uint8Array(0), true);
  if (rest && rest.byteLength > 0) yield { bytes: rest, loadedBytes: source.byteLength };
}

/** The first bytes of a source, as they are stored. */
export function headOf(source: ByteSource): Promise<Uint8Array> {
  return source.slice(0, Math.min(HEAD_BYTES, source.byteLength));
}

/** The first letters of a text file; its last may be cut. Throws as {@link utf8Pieces}. */
export async function headText(source: ByteSource, name: string, signal?: AbortSignal): Promise<string> {
  const head = await headOf(source);
  const whole = compressionOf(head) ? source : bytesSource(head); // inflating needs the rest of a block
  for await (const { bytes } of utf8Pieces(whole, name, signal)) return new TextDecoder().decode(bytes.subarray(0, HEAD_BYTES));
  return "";
}

function refuseSecond(compression: Compression, inflated: Uint8Array, name: string): void {
  const second = compressionOf(inflated);
  if (second === undefined) return;
  throw new DataFileError(`read: ${name} is compressed twice; expected text in the ${compression}, got ${second}; decompress it once`, {
    file: name,
  });
}

/** How the bytes become UTF-8, by the first of them. */
function converterFor(first: Uint8Array, name: string): (bytes: Uint8Array, isLast: boolean) => Uint8Array {
  refuseForeign(first.subarray(0, HEAD_BYTES), name);
  const { encoding, markBytes } = textEncodingOf(first);
  if (encoding !== "utf-8") return fromUtf16(encoding, name);
  let skipped = markBytes;
  return (bytes) => {
    const text = bytes.subarray(skipped);
    skipped = 0;
    return text;
  };
}

/** How a text is encoded, by its first bytes, and how many of them are the mark of UTF-8. */
export function textEncodingOf(first: Uint8Array): { encoding: "utf-8" | Utf16; markBytes: number } {
  const encoding = utf16Of(first);
  if (encoding) return { encoding, markBytes: 0 };
  return { encoding: "utf-8", markBytes: first[0] === 0xef && first[1] === 0xbb && first[2] === 0xbf ? 3 : 0 };
}

type Utf16 = "utf-16le" | "utf-16be";

/** Which UTF-16 a text is in: by its byte-order mark, or by zeros that are every other one of its first bytes. */
function utf16Of(first: Uint8Array): Utf16 | undefined {
  if (first[0] === 0xff && first[1] === 0xfe) return "utf-16le";
  if (first[0] === 0xfe && first[1] === 0xff) return "utf-16be";
  const sample = first.subarray(0, Math.min(512, first.byteLength - (first.byteLength % 2)));
  const zeros = [0, 0];
  sample.forEach((byte, index) => {
    if (byte === 0) zeros[index % 2]!++;
  });
  const many = sample.byteLength / 8; // a quarter of the letters are Latin: JSON's signs and keys alone are more
  if (zeros[0] === 0 && zeros[1]! > many) return "utf-16le";
  return zeros[1] === 0 && zeros[0]! > many ? "utf-16be" : undefined;
}

function fromUtf16(encoding: Utf16, name: string): (bytes: Uint8Array, isLast: boolean) => Uint8Array {
  const decoder = new TextDecoder(encoding, { fatal: true });
  const encoder = new TextEncoder();
  return (bytes, isLast) => {
    try {
      return encoder.encode(decoder.decode(bytes, { stream: !isLast }));
    } catch (cause) {
      throw new FormatError(`read: ${name} is not ${encoding.toUpperCase()} text; expected pairs of bytes, got others; save it as UTF-8`, {
        source: name,
        cause,
      });
    }
  };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Where bytes lie in a text, for messages. */
export interface BytePlace {
  name: string;
  /** How many bytes stand before them, without a byte-order mark. */
  offset: number;
  /** The line that they begin on. */
  line: number;
}

/** The text of UTF-8 bytes. Throws FormatError, with offset and line, for the first byte that is no UTF-8. */
export function decodeUtf8(bytes: Uint8Array, place: () => BytePlace): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    const { name, offset, line } = place();
    const valid = validBytes(bytes);
    const wrongLine = line + new TextDecoder().decode(bytes.subarray(0, valid)).split("\n").length - 1;
    const byte = bytes[valid]!.toString(16).toUpperCase().padStart(2, "0");
    throw new FormatError(
      `read: ${name} is not UTF-8 text; expected UTF-8, got byte 0x${byte} at offset ${offset + valid} (line ${wrongLine}); save it as UTF-8 (it may be Latin-1 or Windows-1252)`,
      { source: name, line: wrongLine, cause },
    );
  }
}

/** How many of the first bytes are whole characters of UTF-8. */
function validBytes(bytes: Uint8Array): number {
  let valid = 0;
  let wrong = bytes.byteLength;
  while (valid < wrong) {
    const middle = Math.ceil((valid + wrong) / 2);
    if (isValid(bytes.subarray(0, middle), true)) valid = middle;
    else wrong = middle - 1;
  }
  while (!isValid(bytes.subarray(0, valid), false)) valid--; // what was only the beginning of a character
  return valid;
}

function isValid(bytes: Uint8Array, stream: boolean): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream });
    return true;
  } catch {
    return false;
  }
}
