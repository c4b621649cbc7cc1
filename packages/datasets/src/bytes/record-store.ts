import { openSpool } from "#platform";
import { lastAtMost } from "../dataset.js";
import type { LastingBytes, LastingText, Spool } from "./lasting-bytes.js";

/** What of a file's rows is kept in memory where nothing else is asked for; a larger file is read where it lies. */
export const RESIDENT_BYTES: number = 64 * 2 ** 20;

/** Records that lie side by side: in memory, or in a file from `place` on. */
interface Block {
  readonly starts: Uint32Array;
  readonly byteLength: number;
  bytes: Uint8Array | undefined;
  place: number;
}

/**
 * Rows as the bytes they have in their file: the smallest that they can be kept as, and outside the heap of the engine. Those of a large file stay there, and
 * those that no file has as they are (a compressed one) go to one that is made for them; of either four bytes a row are in memory, and the block that is read.
 */
export class RecordStore {
  readonly #blocks: Block[] = [];
  /** Of each block, its first record. */
  readonly #firsts: number[] = [];
  readonly #text: LastingText | undefined;
  readonly #residentBytes: number;
  #spool: Spool | undefined;
  #bytesInMemory = 0;
  #last = 0;
  /** The block of a file that was read last, and the record that was. */
  #window: { block: number; bytes: Uint8Array } | undefined;
  #lastIndex = -1;
  length = 0;

  /** @param text  where the records lie, if they can be read there; then none is kept in memory */
  constructor(text?: LastingText, residentBytes: number = RESIDENT_BYTES) {
    this.#text = text;
    this.#residentBytes = residentBytes;
  }

  /** Adds the records that begin at `starts` of `bytes`, each of which ends where the next begins, the last at `end`; `offset` bytes of the text stand before. */
  add(bytes: Uint8Array, { starts, end, offset }: { starts: readonly number[]; end: number; offset: number }): void {
    if (starts.length === 0) return;
    const block: Block = { starts: Uint32Array.from(starts), byteLength: end, bytes: undefined, place: 0 };
    if (this.#text) block.place = this.#text.start + offset;
    else if (this.#spool) block.place = this.#spool.append(bytes.subarray(0, end));
    else {
      block.bytes = bytes;
      this.#bytesInMemory += bytes.byteLength;
    }
    this.#blocks.push(block);
    this.#firsts.push(this.length);
    this.length += starts.length;
    if (!this.#spool && this.#bytesInMemory > this.#residentBytes) this.#putAway();
  }

  /** True where the records are read where they lie. */
  get isLasting(): boolean {
    return this.#text !== undefined;
  }

  /** Where the records of a text lie: how many blocks, of each where it begins, how long it is and how many records it has, in 64 bits each; then in 32 bits where each begins in its block. */
  index(): Uint8Array {
    const numbers = this.#blocks.flatMap(({ place, byteLength, starts }) => [place - this.#text!.start, byteLength, starts.length]);
    const index = new Uint8Array(8 * (1 + numbers.length) + 4 * this.length);
    new Float64Array(index.buffer, 0, 1 + numbers.length).set([this.#blocks.length, ...numbers]);
    const starts = new Uint32Array(index.buffer, 8 * (1 + numbers.length));
    this.#blocks.forEach((block, number) => starts.set(block.starts, this.#firsts[number]));
    return index;
  }

  /** Adds the records of an index of this text. */
  addIndexed(given: Uint8Array): void {
    const index = given.byteOffset % 8 === 0 ? given : new Uint8Array(given);
    const { buffer, byteOffset } = index;
    const numBlocks = new Float64Array(buffer, byteOffset, 1)[0]!;
    const numbers = new Float64Array(buffer, byteOffset + 8, 3 * numBlocks);
    const starts = new Uint32Array(buffer, byteOffset + 8 * (1 + numbers.length), (index.byteLength - 8 * (1 + numbers.length)) / 4);
    for (let block = 0; block < numBlocks; block++) {
      const [offset, byteLength, count] = numbers.subarray(3 * block) as unknown as [number, number, number];
      const place = this.#text!.start + offset;
      this.#blocks.push({ starts: starts.subarray(this.length, this.length + count), byteLength, bytes: undefined, place });
      this.#firsts.push(this.length);
      this.length += count;
    }
  }

  /** The bytes of a record, and with them what lies before the next. */
  at(index: number): Uint8Array {
    const number = this.#blockOf(index);
    const block = this.#blocks[number]!;
    const record = index - this.#firsts[number]!;
    const start = block.starts[record]!;
    const end = block.starts[record + 1] ?? block.byteLength;
    const goesOn = index === this.#lastIndex || index === this.#lastIndex + 1;
    this.#lastIndex = index;
    if (block.bytes) return block.bytes.subarray(start, end);
    if (this.#window?.block === number) return this.#window.bytes.subarray(start, end);
    const file: LastingBytes = this.#text?.bytes ?? this.#spool!;
    if (!goesOn) return file.read(block.place + start, block.place + end);
    this.#window = { block: number, bytes: file.read(block.place, block.place + block.byteLength) };
    return this.#window.bytes.subarray(start, end);
  }

  /** Moves what is in memory to a file, where there can be one. */
  #putAway(): void {
    this.#spool = openSpool?.();
    if (!this.#spool) return;
    for (const block of this.#blocks) {
      block.place = this.#spool.append(block.bytes!.subarray(0, block.byteLength));
      block.bytes = undefined;
    }
  }

  /** Most reading goes on from where it was. */
  #blockOf(index: number): number {
    const first = (block: number): number => this.#firsts[block] ?? Infinity;
    if (index < first(this.#last) || index >= first(this.#last + 2)) this.#last = lastAtMost(this.#firsts, index);
    else if (index >= first(this.#last + 1)) this.#last++;
    return this.#last;
  }
}
