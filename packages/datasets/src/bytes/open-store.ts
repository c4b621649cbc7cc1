import { ArgumentError, type ByteSource } from "@kto/core";
import type { ReadOptions } from "../source.js";
import { lastingTextOf } from "./lasting-bytes.js";
import { RecordStore, RESIDENT_BYTES } from "./record-store.js";

/** A store for the records of a source: that reads them where they lie, if that can be done and they are more than memory is to hold. Throws ArgumentError. */
export async function openStore(source: ByteSource, { maxResidentBytes = RESIDENT_BYTES }: ReadOptions): Promise<RecordStore> {
  if (!(maxResidentBytes >= 0)) {
    throw new ArgumentError(
      `read: maxResidentBytes is no number of bytes; expected at least 0, got ${maxResidentBytes}; leave it out for 64 MiB`,
    );
  }
  const isLarge = source.byteLength > maxResidentBytes;
  return new RecordStore(isLarge ? await lastingTextOf(source) : undefined, maxResidentBytes);
}
