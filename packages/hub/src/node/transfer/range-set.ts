/** Bytes [start, end). */
export interface ByteRange {
  start: number;
  end: number;
}

/** Which bytes of a file are there: ranges in order that neither touch nor overlap. */
export class RangeSet {
  #ranges: ByteRange[] = [];

  get ranges(): readonly ByteRange[] {
    return this.#ranges;
  }

  /** Bytes in all ranges. */
  get byteLength(): number {
    return this.#ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  add(start: number, end: number): void {
    if (start >= end) return;
    const before = this.#ranges.filter((range) => range.end < start);
    const after = this.#ranges.filter((range) => range.start > end);
    const joined = this.#ranges.slice(before.length, this.#ranges.length - after.length);
    const first = Math.min(start, joined[0]?.start ?? start);
    const last = Math.max(end, joined.at(-1)?.end ?? end);
    this.#ranges = [...before, { start: first, end: last }, ...after];
  }

  clear(): void {
    this.#ranges = [];
  }

  /** What is missing of [0, size), in pieces of at most `partBytes`. */
  missing(size: number, partBytes: number): ByteRange[] {
    const gaps: ByteRange[] = [];
    let at = 0;
    for (const { start, end } of [...this.#ranges, { start: size, end: size }]) {
      for (; at < start; at = Math.min(at + partBytes, start)) gaps.push({ start: at, end: Math.min(at + partBytes, start) });
      at = end;
    }
    return gaps;
  }
}
