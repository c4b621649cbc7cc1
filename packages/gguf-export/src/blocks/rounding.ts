import { float16ToNumber, numberToFloat16 } from "@kto/safetensors";

const floats = /* @__PURE__ */ new Float32Array(1);
const bits = /* @__PURE__ */ new Int32Array(floats.buffer);

/** What the reference takes for zero. */
export const EPS: number = /* @__PURE__ */ Math.fround(1e-15);

/**
 * The nearest integer of an f32, ties to even, by adding 1.5 · 2^23 and reading the mantissa. Through the bits on purpose: NaN gives 0 and an infinity
 * −4194304, as in the reference, which happens in blocks of denormal numbers.
 */
export function roundEven(value: number): number {
  floats[0] = value + 12582912;
  return (bits[0]! & 0x7fffff) - 0x400000;
}

/** As `roundEven`, kept within [low, high]. */
export function roundWithin(value: number, low: number, high: number): number {
  const rounded = roundEven(value);
  return rounded < low ? low : rounded > high ? high : rounded;
}

/** Truncates toward zero and keeps eight bits, signed; NaN and infinities give 0. */
export function truncateToByte(value: number): number {
  return ((value | 0) << 24) >> 24;
}

/** 1 / value in f32, and 0 for 0. */
export function inverse(value: number): number {
  return value === 0 ? 0 : Math.fround(1 / value);
}

/** Stores f16 bits, little-endian, and returns their value: what the scale of a block is from then on. */
export function storeHalf(out: Uint8Array, at: number, value: number): number {
  const half = numberToFloat16(value);
  out[at] = half & 255;
  out[at + 1] = half >>> 8;
  return float16ToNumber(half);
}

/** The value of two bytes as a little-endian f16. */
export function loadHalf(bytes: Uint8Array, at: number): number {
  return float16ToNumber(bytes[at]! | (bytes[at + 1]! << 8));
}

/** The value of largest magnitude with its sign, the first of equals; 0 if all are. */
export function extreme(x: Float32Array, at: number, count: number): number {
  let found = 0;
  let magnitude = 0;
  for (let i = at; i < at + count; i++) {
    const size = Math.abs(x[i]!);
    if (size > magnitude) {
      magnitude = size;
      found = x[i]!;
    }
  }
  return found;
}
