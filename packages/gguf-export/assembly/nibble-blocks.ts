import { extreme, highest, inverse, lowest, storeHalf } from "./arithmetic";
import * as asymmetric from "./asymmetric-fit";
import { asymmetricCodes, CODES, narrow, storeNibbles, symmetricCodes } from "./codes";
import * as symmetric from "./symmetric-fit";

/** The whole part, of values from 0 to 255, and at most `most`; NaN and infinities give 0. Read off the mantissa: truncation to integers is slow. */
function truncated(values: v128, most: i32): v128 {
  const isFinite = f32x4.lt(values, f32x4.splat(8388608.0));
  const mantissa = f32x4.add(f32x4.floor(values), f32x4.splat(8388608.0));
  return i32x4.min_s(v128.and(v128.and(mantissa, isFinite), i32x4.splat(255)), i32x4.splat(most));
}

function scaled(at: usize, low: v128, id: v128, half: v128, most: i32): v128 {
  return truncated(f32x4.add(f32x4.mul(f32x4.sub(v128.load(at), low), id), half), most);
}

/** code = (x − low) · id + half, truncated. */
function truncatedCodes(x: usize, low: f32, id: f32, half: f32, most: i32): void {
  const lows = f32x4.splat(low);
  const ids = f32x4.splat(id);
  const halves = f32x4.splat(half);
  for (let i = 0; i < 32; i += 16) {
    const four = x + 4 * i;
    const a = scaled(four, lows, ids, halves, most);
    const b = scaled(four + 16, lows, ids, halves, most);
    const c = scaled(four + 32, lows, ids, halves, most);
    const d = scaled(four + 48, lows, ids, halves, most);
    v128.store(CODES + i, narrow(a, b, c, d));
  }
}

/** Q4_0 and Q5_0. */
export function symmetricBlock(x: usize, out: usize, levels: i32): void {
  const d: f32 = extreme(x, 32) / <f32>-levels;
  storeHalf(out, d);
  truncatedCodes(x, 0, inverse(d), <f32>levels + <f32>0.5, 2 * levels - 1);
  storeNibbles(out + 2, levels == 16);
}

/** Q4_1 and Q5_1. */
export function asymmetricBlock(x: usize, out: usize, maxCode: i32): void {
  const low = lowest(x, 32);
  const d: f32 = (highest(x, 32) - low) / <f32>maxCode;
  storeHalf(out, d);
  storeHalf(out + 2, low);
  truncatedCodes(x, low, inverse(d), 0.5, maxCode);
  storeNibbles(out + 4, maxCode == 31);
}

/** Q4_0 and Q5_0 of four blocks, which have importance: what the fit found in a lane. */
export function symmetricFitted(x: usize, out: usize, levels: i32, lane: i32): void {
  storeHalf(out, load<f32>(symmetric.SCALE + 4 * lane));
  symmetricCodes(x, 32, load<f32>(symmetric.STEP + 4 * lane), levels, CODES);
  storeNibbles(out + 2, levels == 16);
}

/** Q4_1 and Q5_1 likewise. */
export function asymmetricFitted(x: usize, out: usize, maxCode: i32, lane: i32): void {
  storeHalf(out, load<f32>(asymmetric.SCALE + 4 * lane));
  storeHalf(out + 2, -load<f32>(asymmetric.MIN + 4 * lane));
  asymmetricCodes(x, 32, load<f32>(asymmetric.STEP + 4 * lane), load<f32>(asymmetric.LOW + 4 * lane), maxCode, CODES);
  storeNibbles(out + 4, maxCode == 31);
}

function roundedAway(at: usize, id: v128): v128 {
  const value = f32x4.mul(v128.load(at), id);
  const magnitude = f32x4.abs(value);
  const whole = f32x4.trunc(magnitude);
  const up = f32x4.ge(f32x4.sub(magnitude, whole), f32x4.splat(0.5)); // −1 where half a step or more is left
  const code = i32x4.sub(v128.and(f32x4.add(whole, f32x4.splat(8388608.0)), i32x4.splat(255)), up);
  const negative = i32x4.shr_s(value, 31);
  const signed = i32x4.sub(v128.xor(code, negative), negative);
  return v128.and(signed, f32x4.lt(magnitude, f32x4.splat(Infinity)));
}

/** Q8_0: ties are rounded away from zero. */
export function q8_0(x: usize, out: usize): void {
  const d: f32 = abs(extreme(x, 32)) / 127;
  const id = f32x4.splat(inverse(d));
  storeHalf(out, d);
  for (let i = 0; i < 32; i += 16) {
    const four = x + 4 * i;
    v128.store(
      out + 2 + i,
      narrow(roundedAway(four, id), roundedAway(four + 16, id), roundedAway(four + 32, id), roundedAway(four + 48, id)),
    );
  }
}
