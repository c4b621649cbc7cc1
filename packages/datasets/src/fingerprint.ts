import type { ByteSource } from "@kto/core";
import { createHasher } from "#platform";
import { canLast, type CanLast } from "./bytes/lasting-bytes.js";

/** Sums up bytes and texts, in order. */
export interface Hasher {
  update(data: Uint8Array | string): void;
  digest(): string;
}

/** Raised when the same bytes are read as other rows than before. */
const READERS_VERSION = 1;

/** The fingerprint of what is made of something that has one, by a step with these arguments; undefined where it has none, or nobody hashes here. */
export function derivedFingerprint(from: readonly (string | undefined)[], step: string, data?: Uint8Array): string | undefined {
  const hasher = createHasher?.();
  if (!hasher || from.includes(undefined)) return undefined;
  hasher.update(JSON.stringify([from, step]));
  if (data) hasher.update(data);
  return hasher.digest();
}

/** A source that remembers what was read of it. */
export interface WatchedBytes {
  source: ByteSource;
  /** Fingerprint of the rows that were made of what was read, by a reader with these settings; undefined where nobody hashes. */
  fingerprint(settings: unknown): string | undefined;
}

/** Watches what a reader takes of a source: rows are a function of that and of the reader, so that nothing else needs to be read for a fingerprint. */
export function watchBytes(source: ByteSource): WatchedBytes {
  const hasher = createHasher?.();
  if (!hasher) return { source, fingerprint: () => undefined };
  const seen = new Set<string>();
  let result: string | undefined;
  const watched: ByteSource & Partial<CanLast> = {
    byteLength: source.byteLength,
    name: source.name,
    async slice(start, end) {
      const bytes = await source.slice(start, end);
      const range = `${start} ${end}\n`;
      if (result === undefined && !seen.has(range)) {
        seen.add(range); // how often a file's head is looked at says nothing of its rows
        hasher.update(range);
        hasher.update(bytes);
      }
      return bytes;
    },
  };
  if (canLast(source)) watched.lasting = () => source.lasting();
  return {
    source: watched,
    fingerprint(settings) {
      result ??= hasher.digest();
      return derivedFingerprint([result], JSON.stringify([READERS_VERSION, settings]));
    },
  };
}
