import { roundWithin } from "./arithmetic";
import { VALUES, WEIGHTS } from "./lanes";

// Four asymmetric fits at once, as fitAsymmetric of src/blocks/fits.ts: x ≈ scale · code − min.

/** What was found: scale and min by lane, and step and low, of which code = round(step · (x − low)). */
export const SCALE: usize = memory.data(16, 16);
export const MIN: usize = memory.data(16, 16);
export const STEP: usize = memory.data(16, 16);
export const LOW: usize = memory.data(16, 16);

const CODES: usize = memory.data(32 * 16, 16);

function difference(i: i32, scale: v128, low: v128): v128 {
  return f32x4.sub(f32x4.add(f32x4.mul(scale, v128.load(CODES + i)), low), v128.load(VALUES + i));
}

function errors(bytes: i32, scale: v128, low: v128, absolute: bool): v128 {
  let sum = f32x4.splat(0);
  if (absolute) {
    for (let i = 0; i < bytes; i += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(WEIGHTS + i), f32x4.abs(difference(i, scale, low))));
  } else {
    for (let i = 0; i < bytes; i += 16) {
      const error = difference(i, scale, low);
      sum = f32x4.add(sum, f32x4.mul(v128.load(WEIGHTS + i), f32x4.mul(error, error)));
    }
  }
  return sum;
}

/** Of candidates (from + by · k + maxCode) / range, k = 0 .. steps, the one with the least error, of squares or absolute. */
export function fitAsymmetric(size: i32, maxCode: i32, from: f32, by: f32, steps: i32, absolute: bool): void {
  const bytes = 16 * size;
  const zero = f32x4.splat(0);
  const most = f32x4.splat(<f32>maxCode);
  let low = v128.load(VALUES);
  let high = low;
  let sumWeights = v128.load(WEIGHTS);
  let sumValues = f32x4.mul(sumWeights, low);
  for (let i = 16; i < bytes; i += 16) {
    const value = v128.load(VALUES + i);
    const weight = v128.load(WEIGHTS + i);
    low = f32x4.pmin(low, value);
    high = f32x4.pmax(high, value);
    sumWeights = f32x4.add(sumWeights, weight);
    sumValues = f32x4.add(sumValues, f32x4.mul(weight, value));
  }
  low = v128.bitselect(zero, low, f32x4.gt(low, zero));
  const isFlat = f32x4.le(high, low);
  const flatLow = low;

  let step = f32x4.div(most, f32x4.sub(high, low));
  let stepLow = low;
  let scale = f32x4.div(f32x4.splat(1), step);
  for (let i = 0; i < bytes; i += 16) {
    const code = roundWithin(f32x4.mul(step, f32x4.sub(v128.load(VALUES + i), low)), 0, maxCode);
    v128.store(CODES + i, f32x4.convert_i32x4_s(code));
  }
  let best = errors(bytes, scale, low, absolute);

  for (let k = 0; k <= steps; k++) {
    const thisStep = f32x4.div(f32x4.splat(from + by * <f32>k + <f32>maxCode), f32x4.sub(high, low));
    let sumCodes = zero;
    let sumSquares = zero;
    let sumProducts = zero;
    for (let i = 0; i < bytes; i += 16) {
      const value = v128.load(VALUES + i);
      const code = f32x4.convert_i32x4_s(roundWithin(f32x4.mul(thisStep, f32x4.sub(value, low)), 0, maxCode));
      v128.store(CODES + i, code);
      const weighted = f32x4.mul(v128.load(WEIGHTS + i), code);
      sumCodes = f32x4.add(sumCodes, weighted);
      sumSquares = f32x4.add(sumSquares, f32x4.mul(weighted, code));
      sumProducts = f32x4.add(sumProducts, f32x4.mul(weighted, value));
    }
    const determinant = f32x4.sub(f32x4.mul(sumWeights, sumSquares), f32x4.mul(sumCodes, sumCodes));
    let thisScale = f32x4.div(f32x4.sub(f32x4.mul(sumWeights, sumProducts), f32x4.mul(sumValues, sumCodes)), determinant);
    let thisLow = f32x4.div(f32x4.sub(f32x4.mul(sumSquares, sumValues), f32x4.mul(sumCodes, sumProducts)), determinant);
    const isAbove = f32x4.gt(thisLow, zero);
    thisLow = v128.bitselect(zero, thisLow, isAbove);
    thisScale = v128.bitselect(f32x4.div(sumProducts, sumSquares), thisScale, isAbove);
    const error = errors(bytes, thisScale, thisLow, absolute);
    const wins = v128.and(f32x4.gt(determinant, zero), f32x4.lt(error, best));
    best = v128.bitselect(error, best, wins);
    scale = v128.bitselect(thisScale, scale, wins);
    step = v128.bitselect(thisStep, step, wins);
    stepLow = v128.bitselect(low, stepLow, wins);
    low = v128.bitselect(thisLow, low, wins);
  }
  v128.store(SCALE, v128.andnot(scale, isFlat));
  v128.store(MIN, f32x4.neg(v128.bitselect(flatLow, low, isFlat)));
  v128.store(STEP, v128.andnot(step, isFlat));
  v128.store(LOW, v128.bitselect(flatLow, stepLow, isFlat));
}
