import { ArgumentError } from "@kto/core";

const MASK_64 = 2n ** 64n - 1n;
const MASK_128 = 2n ** 128n - 1n;
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;

/** Words of the pool that a seed is spread over. */
const POOL_SIZE = 4;

/** The generator PCG64 (XSL-RR 128/64) as numpy seeds it: `numpy.random.default_rng(seed)`. @see numpy 2.4, SeedSequence and PCG64 */
export class Pcg64 {
  #state = 0n;
  #high: number | undefined;
  readonly #increment: bigint;

  /** @param seed  an integer of at least 0 */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0) {
      throw new ArgumentError(`Pcg64: the seed is not one; expected an integer of at least 0, got ${seed}; pass e.g. 42`);
    }
    const words = spreadSeed(seed);
    const word64 = (index: number): bigint => BigInt(words[2 * index]!) | (BigInt(words[2 * index + 1]!) << 32n);
    this.#increment = ((((word64(2) << 64n) | word64(3)) << 1n) | 1n) & MASK_128;
    this.#step();
    this.#state = (this.#state + ((word64(0) << 64n) | word64(1))) & MASK_128;
    this.#step();
  }

  /** The next number in [0, 1), a multiple of 2⁻⁵³: `Generator.random()`. */
  nextDouble(): number {
    return Number(this.#output() >> 11n) * 2 ** -53;
  }

  /** The next number of 32 bits: the low half of an output, and then its high one. */
  nextUint32(): number {
    const high = this.#high;
    this.#high = undefined;
    if (high !== undefined) return high;
    const output = this.#output();
    this.#high = Number(output >> 32n);
    return Number(output & 0xffffffffn);
  }

  #output(): bigint {
    this.#step();
    const mixed = (this.#state >> 64n) ^ (this.#state & MASK_64);
    const turn = this.#state >> 122n;
    return ((mixed >> turn) | (mixed << (64n - turn))) & MASK_64;
  }

  #step(): void {
    this.#state = (this.#state * MULTIPLIER + this.#increment) & MASK_128;
  }
}

/** Eight words that a seed becomes, each depending on all of it. */
function spreadSeed(seed: number): Uint32Array {
  const entropy = seed < 2 ** 32 ? [seed] : [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
  const pool = new Uint32Array(POOL_SIZE);
  const mixIn = hashing(0x43b0d7e5, 0x931e8875);
  for (let index = 0; index < POOL_SIZE; index++) pool[index] = mixIn(entropy[index] ?? 0);
  for (let from = 0; from < POOL_SIZE; from++) {
    for (let to = 0; to < POOL_SIZE; to++) if (to !== from) pool[to] = mixed(pool[to]!, mixIn(pool[from]!));
  }
  const give = hashing(0x8b51f9dd, 0x58f38ded);
  return Uint32Array.from({ length: 8 }, (_, index) => give(pool[index % POOL_SIZE]!));
}

/** A hash of 32 bits whose constant goes on with each value. */
function hashing(first: number, multiplier: number): (value: number) => number {
  let constant = first;
  return (value) => {
    const before = value ^ constant;
    constant = Math.imul(constant, multiplier);
    const product = Math.imul(before, constant);
    return (product ^ (product >>> 16)) >>> 0;
  };
}

function mixed(a: number, b: number): number {
  const result = (Math.imul(0xca01f9dd, a) - Math.imul(0x4973f715, b)) | 0;
  return (result ^ (result >>> 16)) >>> 0;
}
