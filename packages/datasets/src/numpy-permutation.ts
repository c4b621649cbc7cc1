import { Pcg64 } from "./pcg64.js";

/**
 * A random permutation of 0 … n−1, equal to numpy's `default_rng(seed).permutation(n)`: the order that `Dataset.shuffle(seed)` of Python's datasets gives.
 *
 *   for i = n−1 … 1:  swap r[i] and r[a number of 0 … i]
 *
 * Throws ArgumentError for a seed that is no integer from 0 to 2⁵³ − 1.
 *
 * @see numpy 2.4: SeedSequence, PCG64 (XSL-RR), Generator.shuffle with masked rejection
 */
export function numpyPermutation(n: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, index) => index);
  const generator = new Pcg64(seed);
  for (let i = n - 1; i > 0; i--) {
    const other = upTo(generator, i);
    const held = order[i]!;
    order[i] = order[other]!;
    order[other] = held;
  }
  return order;
}

/** A number of 0 … last: the low bits of outputs, until they are not above it. */
function upTo(generator: Pcg64, last: number): number {
  const bits = 2 ** (32 - Math.clz32(last)) - 1;
  for (;;) {
    const value = (generator.nextUint32() & bits) >>> 0;
    if (value <= last) return value;
  }
}
