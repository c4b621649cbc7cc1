import { roundWithin } from "./arithmetic";

// Codes, a byte a value, and how a block packs them.

/** Codes of a block. */
export const CODES: usize = memory.data(256, 16);

/** Sixteen i32 as bytes. */
export function narrow(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

function asymmetric(at: usize, step: v128, low: v128, maxCode: i32): v128 {
  return roundWithin(f32x4.mul(step, f32x4.sub(v128.load(at), low)), 0, maxCode);
}

/** code = round(step · (x − low)), what an asymmetric fit found. */
export function asymmetricCodes(at: usize, size: i32, step: f32, low: f32, maxCode: i32, codes: usize): void {
  const steps = f32x4.splat(step);
  const lows = f32x4.splat(low);
  for (let i = 0; i < size; i += 16) {
    const four = at + 4 * i;
    const a = asymmetric(four, steps, lows, maxCode);
    const b = asymmetric(four + 16, steps, lows, maxCode);
    const c = asymmetric(four + 32, steps, lows, maxCode);
    const d = asymmetric(four + 48, steps, lows, maxCode);
    v128.store(codes + i, narrow(a, b, c, d));
  }
}

/** code = round(step · x) + levels, what a symmetric fit found; 0 for a step of 0. */
export function symmetricCodes(at: usize, size: i32, step: f32, levels: i32, codes: usize): void {
  if (step == 0) memory.fill(codes, 0, size);
  else {
    const steps = f32x4.splat(step);
    const offset = i8x16.splat(<i8>levels);
    for (let i = 0; i < size; i += 16) {
      const four = at + 4 * i;
      const a = roundWithin(f32x4.mul(steps, v128.load(four)), -levels, levels - 1);
      const b = roundWithin(f32x4.mul(steps, v128.load(four + 16)), -levels, levels - 1);
      const c = roundWithin(f32x4.mul(steps, v128.load(four + 32)), -levels, levels - 1);
      const d = roundWithin(f32x4.mul(steps, v128.load(four + 48)), -levels, levels - 1);
      v128.store(codes + i, i8x16.add(narrow(a, b, c, d), offset));
    }
  }
}

function divided(at: usize, min: v128, scale: v128, low: i32, high: i32): v128 {
  return roundWithin(f32x4.div(f32x4.add(v128.load(at), min), scale), low, high);
}

/** code = round((x + min) / scale) + offset, by the scale and min that a block stores. */
export function storedCodes(at: usize, size: i32, scale: f32, min: f32, low: i32, high: i32, codes: usize): void {
  const scales = f32x4.splat(scale);
  const minima = f32x4.splat(min);
  const offset = i8x16.splat(<i8>-low);
  for (let i = 0; i < size; i += 16) {
    const four = at + 4 * i;
    const a = divided(four, minima, scales, low, high);
    const b = divided(four + 16, minima, scales, low, high);
    const c = divided(four + 32, minima, scales, low, high);
    const d = divided(four + 48, minima, scales, low, high);
    v128.store(codes + i, i8x16.add(narrow(a, b, c, d), offset));
  }
}

function nibbles(low: usize, high: usize): v128 {
  const mask = i8x16.splat(15);
  return v128.or(v128.and(v128.load(low), mask), i8x16.shl(v128.load(high), 4));
}

/** Two codes of a block of 32 a byte: value e low, value e + 16 high; fifth bits are a u32 before them. */
export function storeNibbles(to: usize, withFifthBit: bool): void {
  if (withFifthBit) {
    const low = i8x16.bitmask(i8x16.shl(v128.load(CODES), 3));
    const high = i8x16.bitmask(i8x16.shl(v128.load(CODES + 16), 3));
    store<u32>(to, low | (high << 16));
  }
  v128.store(withFifthBit ? to + 4 : to, nibbles(CODES, CODES + 16));
}

/** Four-bit codes of a super-block: of each 64 values the first 32 are the low halves of 32 bytes, the others the high ones. */
export function storeFourBits(to: usize): void {
  for (let part = 0; part < 4; part++) {
    const codes = CODES + 64 * part;
    v128.store(to + 32 * part, nibbles(codes, codes + 32));
    v128.store(to + 32 * part + 16, nibbles(codes + 16, codes + 48));
  }
}

/** Two bits of each code, from `shift` on: value 128h + 32k + l is bits 2k and 2k + 1 of byte 32h + l. */
export function storeTwoBits(to: usize, shift: i32): void {
  const mask = i8x16.splat(3);
  for (let byte = 0; byte < 64; byte += 16) {
    const codes = CODES + 128 * (byte >> 5) + (byte & 31);
    let packed = i8x16.splat(0);
    for (let k = 0; k < 4; k++) {
      packed = v128.or(packed, i8x16.shl(v128.and(i8x16.shr_u(v128.load(codes + 32 * k), shift), mask), 2 * k));
    }
    v128.store(to + byte, packed);
  }
}

/** One bit of each code: value 32b + l is bit b of byte l. */
export function storeHighBits(to: usize, bit: i32): void {
  const mask = i8x16.splat(1);
  for (let byte = 0; byte < 32; byte += 16) {
    let packed = i8x16.splat(0);
    for (let b = 0; b < 8; b++) {
      packed = v128.or(packed, i8x16.shl(v128.and(i8x16.shr_u(v128.load(CODES + 32 * b + byte), bit), mask), b));
    }
    v128.store(to + byte, packed);
  }
}
