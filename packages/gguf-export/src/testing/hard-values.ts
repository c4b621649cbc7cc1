import { generator } from "./conformance.js";

const next = generator(7);

/** Numbers from 0 to 1. */
const random = (): number => 10 * (next(1)[0]! + 0.05);

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** A float of random bits, of magnitude 2^14 at most: every exponent, subnormal ones too, is as likely. */
function randomBits(): number {
  do bits[0] = random() * 2 ** 32;
  while (!(Math.abs(floats[0]!) < 2 ** 14));
  return floats[0]!;
}

/** Values that go through every branch of the fits, by what is hard about them; `count` of each. */
export function hardValues(count: number): Record<string, Float32Array> {
  const from = (valueOf: (i: number) => number): Float32Array => Float32Array.from({ length: count }, (_, i) => valueOf(i));
  return {
    "a bell": from(() => (random() + random() + random() + random() - 2) / 20),
    "few numbers, so that many are equal": from(() => Math.round(8 * random() - 4) / 8),
    "zeros of both signs and few others": from(() => (random() < 0.05 ? 3 * random() - 1.5 : random() < 0.5 ? 0 : -0)),
    "one number a sub-block": from((i) => [0, 1, -1, 0.25, -0.25, 1e-20, -1e-40, -0][(i >> 5) % 8]!),
    "positive ones, far from zero": from(() => 1 + random()),
    "negative ones, close together": from(() => -1 - random() / 1000),
    "subnormal ones": from(() => (random() - 0.5) * 1e-39),
    "from 1 down to nothing": from((i) => (random() - 0.5) * 10 ** ((-46 * i) / count)),
    "of all magnitudes at once": from(() => (random() - 0.5) * 10 ** (-30 * random())),
    "one outlier a block": from((i) => (i % 32 === 5 ? 1000 : random() - 0.5)),
    "random bits": from(randomBits),
  };
}

/** Importance of `count` columns. */
export function hardImportance(count: number): Record<string, Float32Array> {
  const from = (valueOf: (i: number) => number): Float32Array => Float32Array.from({ length: count }, (_, i) => valueOf(i));
  return {
    "few levels": from((column) => 1 + 0.25 * (column % 5)),
    "most of it in few columns": from(() => random() ** 8 * 1e4),
    "nothing, or hardly anything": from(() => (random() < 0.5 ? 0 : 1e-20)),
    nothing: new Float32Array(count),
  };
}
