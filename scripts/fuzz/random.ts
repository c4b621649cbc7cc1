/** Numbers that repeat for a seed: mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer in [0, limit); 0 for a limit of 0. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  /** A length: small ones are as likely as large ones are. */
  length(most: number): number {
    return Math.floor(2 ** (this.next() * Math.log2(most + 1))) - 1;
  }
}

/** The seed of input `index` of a target, so that each input can be made again alone. */
export function seedOf(seed: number, target: string, index: number): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (const text of [target, String(index)]) for (const letter of text) hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193) >>> 0;
  return hash;
}
