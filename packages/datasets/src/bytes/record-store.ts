import { lastAtMost } from "../dataset.js";

/** Rows as the bytes they have in their file: the smallest that they can be kept as, and outside the heap of the engine. */
export class RecordStore {
  readonly #blocks: { bytes: Uint8Array; starts: Uint32Array }[] = [];
  /** Of each block, its first record. */
  readonly #firsts: number[] = [];
  #last = 0;
  length = 0;

  /** Adds the records that begin at `starts` of `bytes`, each of which ends where the next begins. */
  add(bytes: Uint8Array, starts: readonly number[]): void {
    if (starts.length === 0) return;
    this.#blocks.push({ bytes, starts: Uint32Array.from(starts) });
    this.#firsts.push(this.length);
    this.length += starts.length;
  }

  /** The bytes of a record, and with them what lies before the next. */
  at(index: number): Uint8Array {
    const block = this.#blockOf(index);
    const { bytes, starts } = this.#blocks[block]!;
    const record = index - this.#firsts[block]!;
    return bytes.subarray(starts[record], starts[record + 1] ?? bytes.byteLength);
  }

  /** Most reading goes on from where it was. */
  #blockOf(index: number): number {
    const first = (block: number): number => this.#firsts[block] ?? Infinity;
    if (index < first(this.#last) || index >= first(this.#last + 2)) this.#last = lastAtMost(this.#firsts, index);
    else if (index >= first(this.#last + 1)) this.#last++;
    return this.#last;
  }
}
