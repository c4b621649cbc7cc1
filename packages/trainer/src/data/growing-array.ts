type Numbers = Uint8Array | Uint32Array | Float64Array;

/** A typed array that numbers are added to. */
export class GrowingArray<Values extends Numbers> {
  #values: Values;
  length = 0;

  constructor(empty: Values) {
    this.#values = empty;
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new (this.#values.constructor as new (length: number) => Values)(Math.max(1024, 2 * this.length));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  /** The numbers so far, in an array of just their length. */
  toArray(): Values {
    return this.#values.slice(0, this.length) as Values;
  }
}
