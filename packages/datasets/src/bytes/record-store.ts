/** Rows as the bytes they have in their file: the smallest that they can be kept as, and outside the heap of the engine. */
export class RecordStore {
  readonly #blocks: { bytes: Uint8Array; starts: Uint32Array; firstRecord: number }[] = [];
  #last = 0;
  length = 0;

  /** Adds the records that begin at `starts` of `bytes`, each of which ends where the next begins. */
  add(bytes: Uint8Array, starts: readonly number[]): void {
    if (starts.length === 0) return;
    this.#blocks.push({ bytes, starts: Uint32Array.from(starts), firstRecord: this.length });
    this.length += starts.length;
  }

  /** The bytes of a record, and with them what lies before the next. */
  at(index: number): Uint8Array {
    const { bytes, starts, firstRecord } = this.#blocks[this.#blockOf(index)]!;
    return bytes.subarray(starts[index - firstRecord], starts[index - firstRecord + 1] ?? bytes.byteLength);
  }

  /** Most reading goes on from where it was. */
  #blockOf(index: number): number {
    const starts = (block: number): number => this.#blocks[block]?.firstRecord ?? Infinity;
    if (index < starts(this.#last) || index >= starts(this.#last + 2)) {
      let low = 0;
      for (let high = this.#blocks.length; high - low > 1;) {
        const middle = (low + high) >> 1;
        if (starts(middle) <= index) low = middle;
        else high = middle;
      }
      this.#last = low;
    } else if (index >= starts(this.#last + 1)) this.#last++;
    return this.#last;
  }
}
