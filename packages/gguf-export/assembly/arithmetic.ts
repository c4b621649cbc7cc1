// Arithmetic of src/blocks/rounding.ts, in f32; every operation of WebAssembly is rounded once and none is fused.

/** Results of a run: all was written, or some value is not finite or too large for every type of blocks. Others are the block that was refused. */
export const DONE: i32 = -1;
export const UNUSABLE: i32 = -2;

/** What the reference takes for zero. */
export const EPS: f32 = 1e-15;

/** The nearest integer, ties to even, read off the mantissa: NaN gives 0, an infinity −4194304. */
export function roundEven(value: f32): i32 {
  return (reinterpret<i32>(value + 12582912.0) & 0x7fffff) - 0x400000;
}

/** As `roundEven`, of four, kept within [low, high]; i32x4. */
export function roundWithin(values: v128, low: i32, high: i32): v128 {
  const mantissa = v128.and(f32x4.add(values, f32x4.splat(12582912.0)), i32x4.splat(0x7fffff));
  return i32x4.min_s(i32x4.max_s(i32x4.sub(mantissa, i32x4.splat(0x400000)), i32x4.splat(low)), i32x4.splat(high));
}

/** 1 / value, and 0 for 0. */
export function inverse(value: f32): f32 {
  return value == 0 ? 0 : <f32>1 / value;
}

/** f16 bits of an f32, to nearest, ties to even. */
export function halfOf(value: f32): u32 {
  const bits = reinterpret<u32>(value);
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  if (magnitude <= 0x33000000) return sign;
  const shift = 126 - (magnitude >>> 23);
  const significand = (magnitude & 0x7fffff) | 0x800000;
  return sign | ((significand + (1 << (shift - 1)) - 1 + ((significand >>> shift) & 1)) >>> shift);
}

/** Value of f16 bits. */
function valueOf(half: u32): f32 {
  const exponent = (half >>> 10) & 31;
  const mantissa = half & 1023;
  const sign = (half & 0x8000) << 16;
  if (exponent == 0) return reinterpret<f32>(reinterpret<u32>(<f32>mantissa * <f32>5.9604644775390625e-8) | sign);
  return reinterpret<f32>(sign | ((exponent == 31 ? 255 : exponent + 112) << 23) | (mantissa << 13));
}

/** Whether a scale was stored that is not finite; `storeHalf` sets it. */
export let hasInfiniteScale: bool = false;

export function forgetInfiniteScale(): void {
  hasInfiniteScale = false;
}

/** Stores a scale as f16 and returns the value that it has from then on. */
export function storeHalf(to: usize, value: f32): f32 {
  const half = halfOf(value);
  if ((half & 0x7c00) == 0x7c00) hasInfiniteScale = true;
  store<u16>(to, <u16>half);
  return valueOf(half);
}

/** The first of `count` values, a multiple of four, that equals `value`, with its own bits: zeros differ in their sign. */
function firstLike(at: usize, count: i32, value: f32, magnitudeOnly: bool): f32 {
  const wanted = f32x4.splat(value);
  for (let i = 0; i < count; i += 4) {
    const four = v128.load(at + 4 * i);
    const mask = i32x4.bitmask(f32x4.eq(magnitudeOnly ? f32x4.abs(four) : four, wanted));
    if (mask != 0) return load<f32>(at + 4 * (i + ctz(mask)));
  }
  return value;
}

function mostOf(four: v128): f32 {
  return max(max(f32x4.extract_lane(four, 0), f32x4.extract_lane(four, 1)), max(f32x4.extract_lane(four, 2), f32x4.extract_lane(four, 3)));
}

/** The largest magnitude of `count` values, a multiple of four. */
export function peakOf(at: usize, count: i32): f32 {
  let most = f32x4.splat(0);
  for (let i = 0; i < count; i += 4) most = f32x4.pmax(most, f32x4.abs(v128.load(at + 4 * i)));
  return mostOf(most);
}

/** The value of largest magnitude with its sign, the first of equals; 0 if all are. */
export function extreme(at: usize, count: i32): f32 {
  const peak = peakOf(at, count);
  return peak == 0 ? 0 : firstLike(at, count, peak, true);
}

/** The highest value, the first of equals. */
export function highest(at: usize, count: i32): f32 {
  let most = v128.load(at);
  for (let i = 4; i < count; i += 4) most = f32x4.pmax(most, v128.load(at + 4 * i));
  return firstLike(at, count, mostOf(most), false);
}

/** The lowest value, the first of equals. */
export function lowest(at: usize, count: i32): f32 {
  let most = f32x4.neg(v128.load(at));
  for (let i = 4; i < count; i += 4) most = f32x4.pmax(most, f32x4.neg(v128.load(at + 4 * i)));
  return firstLike(at, count, -mostOf(most), false);
}

/** The largest of scales or minima of sub-blocks, which are not negative; 0 where none is above it. */
export function largest(at: usize, count: i32): f32 {
  let most: f32 = 0;
  for (let i = 0; i < count; i++) most = max(most, load<f32>(at + 4 * i));
  return most;
}

/** Sum of squares, in order. */
export function sumSquares(at: usize, count: i32): f32 {
  let sum: f32 = 0;
  for (let i = 0; i < count; i++) {
    const value = load<f32>(at + 4 * i);
    sum += value * value;
  }
  return sum;
}

/** Whether all values are numbers of at most 2^30. */
export function areUsable(at: usize, count: i32): bool {
  let good = i32x4.splat(-1);
  for (let i = 0; i < count; i += 4) good = v128.and(good, f32x4.le(f32x4.abs(v128.load(at + 4 * i)), f32x4.splat(1073741824.0)));
  return i32x4.all_true(good);
}
