import { ArgumentError } from "@kto/core";

const mask32 = 0xffffffffn;
const mask64 = (1n << 64n) - 1n;
const mask128 = (1n << 128n) - 1n;

/** The multiplier of PCG's generator of 128 bits. */
const pcgMultiplier = 0x2360ed051fc65da44385df649fccf645n;

/** Words of the pool that a seed is mixed into. */
const poolSize = 4;

/**
 * A random permutation of 0 … n−1, equal to numpy's `default_rng(seed).permutation(n)`: the order that `Dataset.shuffle(seed)` of Python's datasets gives.
 *
 *   for i = n−1 … 1:  swap r[i] and r[a number of 0 … i]
 *
 * Throws ArgumentError for a seed that is no integer from 0 to 2³² − 1.
 *
 * @see numpy 2.4: SeedSequence, PCG64 (XSL-RR), Generator.shuffle with masked rejection
 */
export function numpyPermutation(n: number, seed: number): Uint32Array {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    throw new ArgumentError(
      `numpyPermutation: the seed is out of range; expected an integer from 0 to 4294967295, got ${seed}; pass e.g. 42`,
    );
  const order = Uint32Array.from({ length: n }, (_, index) => index);
  const next = pcg64(seed);
  for (let i = n - 1; i > 0; i--) {
    const other = upTo(next, i);
    const held = order[i]!;
    order[i] = order[other]!;
    order[other] = held;
  }
  return order;
}

/** A number of 0 … last: the low bits of outputs, until they are not above it. */
function upTo(next: () => number, last: number): number {
  const bits = 2 ** (32 - Math.clz32(last)) - 1;
  for (;;) {
    const value = (next() & bits) >>> 0;
    if (value <= last) return value;
  }
}

/** Outputs of 32 bits of PCG64: the low half of each output, and then the high one. */
function pcg64(seed: number): () => number {
  const [a, b, c, d] = seedWords(seed) as [bigint, bigint, bigint, bigint];
  const increment = ((((c << 64n) | d) << 1n) | 1n) & mask128;
  const step = (state: bigint): bigint => (state * pcgMultiplier + increment) & mask128;
  let state = step((step(0n) + ((a << 64n) | b)) & mask128);
  let high: number | undefined;
  return () => {
    if (high !== undefined) {
      const value = high;
      high = undefined;
      return value;
    }
    state = step(state);
    const folded = ((state >> 64n) ^ state) & mask64;
    const turn = state >> 122n;
    const output = ((folded >> turn) | (folded << ((64n - turn) & 63n))) & mask64;
    high = Number(output >> 32n);
    return Number(output & mask32);
  };
}

/** Four words of 64 bits that a seed is spread over. */
function seedWords(seed: number): bigint[] {
  const pool = mixedPool(seed);
  let hash = 0x8b51f9dd;
  const words = Array.from({ length: 8 }, (_, index) => {
    let value = pool[index % poolSize]! ^ hash;
    hash = Math.imul(hash, 0x58f38ded);
    value = Math.imul(value, hash);
    return (value ^ (value >>> 16)) >>> 0;
  });
  return Array.from({ length: 4 }, (_, index) => BigInt(words[2 * index]!) | (BigInt(words[2 * index + 1]!) << 32n));
}

function mixedPool(seed: number): number[] {
  let hash = 0x43b0d7e5;
  const hashed = (given: number): number => {
    let value = given ^ hash;
    hash = Math.imul(hash, 0x931e8875);
    value = Math.imul(value, hash);
    return (value ^ (value >>> 16)) >>> 0;
  };
  const mixed = (x: number, y: number): number => {
    const value = Math.imul(x, 0xca01f9dd) - Math.imul(y, 0x4973f715);
    return (value ^ (value >>> 16)) >>> 0;
  };
  const pool = Array.from({ length: poolSize }, (_, index) => hashed(index === 0 ? seed : 0));
  for (let from = 0; from < poolSize; from++)
    for (let to = 0; to < poolSize; to++) if (from !== to) pool[to] = mixed(pool[to]!, hashed(pool[from]!));
  return pool;
}
