import type { ByteSource } from "@kto/core";
import { compressionOf } from "./compression.js";
import { headOf, textEncodingOf } from "./utf8.js";

/** Bytes that can be read at any time, at once: a file that stays open. */
export interface LastingBytes {
  /** Bytes [start, end). Throws DataFileError where the file is no longer the one that was opened. */
  read(start: number, end: number): Uint8Array;
}

/** Bytes that are put away and can be read again: a file without a name. */
export interface Spool extends LastingBytes {
  /** Puts bytes behind those that are there, and says where they begin. */
  append(bytes: Uint8Array): number;
}

/** Where the text of a file lies: its first byte is at `start`. */
export interface LastingText {
  bytes: LastingBytes;
  start: number;
}

/** What a source can have besides its ranges: the same bytes, for as long as they are wanted. */
export interface CanLast {
  lasting(): LastingBytes;
}

export function canLast(source: ByteSource): source is ByteSource & CanLast {
  return "lasting" in source;
}

/** The text of a source where it lies, if it lasts and is UTF-8 as it stands; undefined for one that is compressed, UTF-16, or gone when its reader is done. */
export async function lastingTextOf(source: ByteSource): Promise<LastingText | undefined> {
  if (!canLast(source)) return undefined;
  const head = await headOf(source);
  const { encoding, markBytes } = textEncodingOf(head);
  if (compressionOf(head) !== undefined || encoding !== "utf-8") return undefined;
  return { bytes: source.lasting(), start: markBytes };
}
