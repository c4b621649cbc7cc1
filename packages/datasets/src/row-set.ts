/** A set of row numbers in a bit each: a note may hold for every one of millions of rows. */
export class RowSet implements Iterable<number> {
  #bits = new Uint32Array(8);
  size = 0;

  add(row: number): void {
    const word = row >>> 5;
    if (word >= this.#bits.length) {
      const larger = new Uint32Array(Math.max(word + 1, 2 * this.#bits.length));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    const bit = 1 << (row & 31);
    if ((this.#bits[word]! & bit) !== 0) return;
    this.#bits[word]! |= bit;
    this.size++;
  }

  /** The rows, ascending. */
  *[Symbol.iterator](): Iterator<number> {
    for (const [word, bits] of this.#bits.entries()) {
      for (let bit = 0; bits >>> bit !== 0 && bit < 32; bit++) if ((bits >>> bit) & 1) yield 32 * word + bit;
    }
  }
}
