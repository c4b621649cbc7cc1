import type { ByteSource } from "@kto/core";
import { readBytes } from "../source.js";

/** Consecutive bytes of a text, and how much of the file was read for them and those before. */
export interface BytePiece {
  bytes: Uint8Array;
  loadedBytes: number;
}

/** What is asked of a source at once, and what is worked on at once: rows of two bytes become fifty times as large for a while. */
const READ_BYTES = 4 * 2 ** 20;
const PIECE_BYTES = 2 ** 18;

/** A source from its beginning, in pieces of a quarter of a MiB. */
export async function* piecesOf(source: ByteSource, name: string, signal?: AbortSignal): AsyncGenerator<BytePiece> {
  const end = source.byteLength;
  for (let start = 0; start < end; start += READ_BYTES) {
    signal?.throwIfAborted();
    const read = await readBytes(source, start, Math.min(start + READ_BYTES, end), name);
    for (let at = 0; at < read.byteLength; at += PIECE_BYTES) {
      const bytes = read.subarray(at, at + PIECE_BYTES);
      yield { bytes, loadedBytes: start + at + bytes.byteLength };
    }
  }
}

/** Several runs of bytes as one; the run itself where only one is not empty. */
export function joined(runs: readonly Uint8Array[]): Uint8Array {
  const filled = runs.filter((run) => run.byteLength > 0);
  if (filled.length === 1) return filled[0]!;
  const whole = new Uint8Array(filled.reduce((sum, run) => sum + run.byteLength, 0));
  let at = 0;
  for (const run of filled) {
    whole.set(run, at);
    at += run.byteLength;
  }
  return whole;
}
