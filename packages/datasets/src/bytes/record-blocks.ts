import { FormatError } from "@kto/core";
import type { BytePiece } from "./pieces.js";

/** A longer row is none that anyone trains on; with its text and its values it would take several times its size. */
const MAX_RECORD_BYTES = 2 ** 27;

/** What a cutter finds in a run of bytes: where complete records begin and end, and the line of each. */
export interface Cut {
  starts: number[];
  ends: number[];
  /** Line that each begins on, counted from 1. */
  lines: number[];
  /** Where in its line each begins, counted in bytes from 1, where that is not 1 for all. */
  columns?: number[];
  /** What is wrong behind these records, so that no more can be cut. */
  failure?: { problem: string; line: number } | undefined;
  /** Where the record begins that is not complete, and the next call's bytes with it. */
  rest: number;
}

/** Cuts a text into records as it arrives. */
export interface RecordCutter {
  /** The records of the bytes, which begin where the last call's `rest` was; `isLast` when no more follow. */
  cut(bytes: Uint8Array, isLast: boolean): Cut;
}

/** Complete records, as they lie in one run of bytes. */
export interface RecordBlock extends Omit<Cut, "rest"> {
  bytes: Uint8Array;
  /** How many bytes of the text stand before. */
  offset: number;
  loadedBytes: number;
}

/** The records of a text, as many at once as a piece of it completes. Throws FormatError for one that is too long, and as the cutter. */
export async function* recordBlocks(
  operation: string,
  pieces: AsyncIterable<BytePiece>,
  cutter: RecordCutter,
  name: string,
): AsyncGenerator<RecordBlock> {
  const buffer = new Gathering();
  let offset = 0;
  let loadedBytes = 0;
  for await (const piece of pieces) {
    loadedBytes = piece.loadedBytes;
    const bytes = buffer.with(piece.bytes);
    const cut = cutter.cut(bytes, false);
    if (cut.rest > 0 || cut.failure) yield { ...cut, bytes, offset, loadedBytes };
    buffer.takeFirst(cut.rest);
    offset += cut.rest;
    if (buffer.length > MAX_RECORD_BYTES) {
      throw new FormatError(
        `${operation}: a row of ${name} is too long; expected at most ${MAX_RECORD_BYTES} bytes, got more from offset ${offset}; is a line end, a bracket or a quote missing?`,
        { source: name },
      );
    }
  }
  const bytes = buffer.with(new Uint8Array(0));
  yield { ...cutter.cut(bytes, true), bytes, offset, loadedBytes };
}

/** Bytes that are gathered until a record is complete. What was handed out is never written to again. */
class Gathering {
  #bytes: Uint8Array = new Uint8Array(0);
  #isOwn = false;
  length = 0;

  /** All bytes gathered so far, and these. */
  with(more: Uint8Array): Uint8Array {
    const length = this.length + more.byteLength;
    if (this.length === 0) {
      this.#bytes = more;
      this.#isOwn = false;
    } else {
      if (!this.#isOwn || length > this.#bytes.byteLength) {
        const larger = new Uint8Array(this.#isOwn ? Math.max(length, 2 * this.#bytes.byteLength) : length); // a record that goes on and on is seldom copied
        larger.set(this.#bytes.subarray(0, this.length));
        this.#bytes = larger;
        this.#isOwn = true;
      }
      this.#bytes.set(more, this.length);
    }
    this.length = length;
    return this.#bytes.subarray(0, length);
  }

  /** Leaves the first `count` bytes to whom they were handed. */
  takeFirst(count: number): void {
    if (count === 0) return;
    this.#bytes = this.#bytes.subarray(count, this.length);
    this.#isOwn = false;
    this.length -= count;
  }
}
