import { ArgumentError } from "@kto/core";

const STATE_SIZE = 624;
const SHIFT_SIZE = 397;

/** The 32-bit Mersenne twister MT19937 with its standard initialisation, torch's generator on the CPU. */
export class MersenneTwister {
  readonly #state = new Uint32Array(STATE_SIZE);
  #next = STATE_SIZE;

  /** @param seed  integer; its low 32 bits are used */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed)) {
      throw new ArgumentError(`MersenneTwister: the seed is not an integer; expected an integer, got ${seed}; pass e.g. 42`);
    }
    this.#state[0] = seed;
    for (let i = 1; i < STATE_SIZE; i++) {
      const previous = this.#state[i - 1]!;
      this.#state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** The next output, an integer in [0, 2³²). */
  nextUint32(): number {
    if (this.#next === STATE_SIZE) this.#refill();
    let value = this.#state[this.#next++]!;
    value ^= value >>> 11;
    value ^= (value << 7) & 0x9d2c5680;
    value ^= (value << 15) & 0xefc60000;
    value ^= value >>> 18;
    return value >>> 0;
  }

  #refill(): void {
    const state = this.#state;
    for (let i = 0; i < STATE_SIZE; i++) {
      const joined = (state[i]! & 0x80000000) | (state[(i + 1) % STATE_SIZE]! & 0x7fffffff);
      const twisted = (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
      state[i] = state[(i + SHIFT_SIZE) % STATE_SIZE]! ^ twisted;
    }
    this.#next = 0;
  }
}

/**
 * A random permutation of 0 … n−1, equal to torch's `randperm(n)` under `manual_seed(seed)`.
 *
 *   for i = 0 … n−2:  swap r[i] and r[i + nextUint32() mod (n − i)]
 *
 * @see torch 2.13, randperm on the CPU; valid for n far below 2³²
 */
export function randperm(n: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, index) => index);
  const generator = new MersenneTwister(seed);
  for (let i = 0; i < n - 1; i++) {
    const other = i + (generator.nextUint32() % (n - i));
    const held = order[i]!;
    order[i] = order[other]!;
    order[other] = held;
  }
  return order;
}
