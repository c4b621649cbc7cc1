import { loadHalf } from "./rounding.js";

/** Values of a super-block, the block of the k-quants. */
export const SUPER_BLOCK = 256;

/** The largest of the scales or minima of sub-blocks, which are not negative; 0 where none is above it. */
export function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

/** Two-bit codes of a super-block: value 128h + 32k + l is bits 2k and 2k + 1 of byte 32h + l. */
export function storeTwoBits(codes: Uint8Array, out: Uint8Array, to: number): void {
  for (let e = 0; e < SUPER_BLOCK; e++) out[to + 32 * (e >> 7) + (e & 31)]! |= (codes[e]! & 3) << (2 * ((e >> 5) & 3));
}

/** The two-bit code of value e. */
export function loadTwoBits(bytes: Uint8Array, at: number, e: number): number {
  return (bytes[at + 32 * (e >> 7) + (e & 31)]! >> (2 * ((e >> 5) & 3))) & 3;
}

/** Four-bit codes of a super-block: of each 64 values the first 32 are the low halves of 32 bytes, the others the high ones. */
export function storeFourBits(codes: Uint8Array, out: Uint8Array, to: number): void {
  for (let e = 0; e < SUPER_BLOCK; e++) out[to + 32 * (e >> 6) + (e & 31)]! |= (codes[e]! & 15) << (e & 32 ? 4 : 0);
}

/** The four-bit code of value e. */
export function loadFourBits(bytes: Uint8Array, at: number, e: number): number {
  return (bytes[at + 32 * (e >> 6) + (e & 31)]! >> (e & 32 ? 4 : 0)) & 15;
}

/** One more bit of each code: value 32b + l is bit b of byte l. */
export function storeHighBits(codes: Uint8Array, bit: number, out: Uint8Array, to: number): void {
  for (let e = 0; e < SUPER_BLOCK; e++) out[to + (e & 31)]! |= ((codes[e]! >> bit) & 1) << (e >> 5);
}

/** The further bit of value e. */
export function loadHighBit(bytes: Uint8Array, at: number, e: number): number {
  return (bytes[at + (e & 31)]! >> (e >> 5)) & 1;
}

/** value = (d · scale) · code − (dmin · min), what Q2_K, Q4_K and Q5_K have in common; `scaleOf` and `minOf` by sub-block. */
export function dequantizeWithMinima(
  { d, dmin, size }: { d: number; dmin: number; size: 16 | 32 },
  scaleOf: (sub: number) => number,
  minOf: (sub: number) => number,
  codeOf: (e: number) => number,
  out: Float32Array,
  to: number,
): void {
  const f = Math.fround;
  for (let sub = 0; sub < SUPER_BLOCK / size; sub++) {
    const scale = f(d * scaleOf(sub));
    const min = f(dmin * minOf(sub));
    for (let e = sub * size; e < (sub + 1) * size; e++) out[to + e] = f(f(scale * codeOf(e)) - min);
  }
}

/** The two f16 beside each other, d and dmin. */
export function loadScales(bytes: Uint8Array, at: number): { d: number; dmin: number } {
  return { d: loadHalf(bytes, at), dmin: loadHalf(bytes, at + 2) };
}
