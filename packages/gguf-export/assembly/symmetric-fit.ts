import { EPS, roundWithin } from "./arithmetic";
import { VALUES, WEIGHTS } from "./lanes";

// Four symmetric fits at once, as fitSymmetric of src/blocks/fits.ts and fitByPasses of q3-k.ts: x ≈ scale · (code − levels).

/** What was found by lane: the scale, and the step of which code − levels = round(step · x); 0 where all codes are 0. */
export const SCALE: usize = memory.data(16, 16);
export const STEP: usize = memory.data(16, 16);

const CODES: usize = memory.data(16 * 16, 16);
const PRODUCTS: usize = memory.data(32 * 16, 16);

/** The value of largest magnitude of each sub-block with its sign, the first of equals. */
export function extremes(size: i32): v128 {
  let found = f32x4.splat(0);
  let magnitude = found;
  for (let i = 0; i < 16 * size; i += 16) {
    const value = v128.load(VALUES + i);
    const isLarger = f32x4.gt(f32x4.abs(value), magnitude);
    magnitude = v128.bitselect(f32x4.abs(value), magnitude, isLarger);
    found = v128.bitselect(value, found, isLarger);
  }
  return found;
}

/** Of the guess −levels / extreme and eighteen beside it the one with the largest cross² / squares. */
export function fitSymmetric(size: i32, levels: i32): void {
  const bytes = 16 * size;
  const zero = f32x4.splat(0);
  const peak = extremes(size);
  const isZero = f32x4.lt(f32x4.abs(peak), f32x4.splat(EPS));
  for (let i = 0; i < bytes; i += 16) v128.store(PRODUCTS + i, f32x4.mul(v128.load(WEIGHTS + i), v128.load(VALUES + i)));
  let step = zero;
  let scale = zero;
  let best = zero;
  for (let k = -10; k <= 9; k++) {
    if (k == 0) continue;
    const isFirst = k == -10;
    const distance: f32 = isFirst ? <f32>levels : <f32>levels + <f32>0.1 * <f32>k;
    const thisStep = f32x4.div(f32x4.splat(-distance), peak);
    let cross = zero;
    let squares = zero;
    for (let i = 0; i < bytes; i += 16) {
      const code = f32x4.convert_i32x4_s(roundWithin(f32x4.mul(thisStep, v128.load(VALUES + i)), -levels, levels - 1));
      cross = f32x4.add(cross, f32x4.mul(v128.load(PRODUCTS + i), code));
      squares = f32x4.add(squares, f32x4.mul(f32x4.mul(v128.load(WEIGHTS + i), code), code));
    }
    if (isFirst) {
      step = thisStep;
      scale = v128.andnot(f32x4.div(cross, squares), f32x4.eq(squares, zero));
      best = f32x4.mul(scale, cross);
      continue;
    }
    const wins = v128.and(f32x4.gt(squares, zero), f32x4.gt(f32x4.mul(cross, cross), f32x4.mul(best, squares)));
    const thisScale = f32x4.div(cross, squares);
    step = v128.bitselect(thisStep, step, wins);
    scale = v128.bitselect(thisScale, scale, wins);
    best = v128.bitselect(f32x4.mul(thisScale, cross), best, wins);
  }
  v128.store(SCALE, v128.andnot(scale, isZero));
  v128.store(STEP, v128.andnot(step, isZero));
}

/** With weights x²; single codes of the first guess change for as long as cross² / squares grows, in five passes at most. Codes are left in `codeOf`. */
export function fitByPasses(levels: i32): void {
  const zero = f32x4.splat(0);
  const peak = extremes(16);
  const isZero = f32x4.lt(f32x4.abs(peak), f32x4.splat(EPS));
  const step = f32x4.div(f32x4.splat(<f32>-levels), peak);
  let cross = zero;
  let squares = zero;
  for (let i = 0; i < 256; i += 16) {
    const value = v128.load(VALUES + i);
    const weight = f32x4.mul(value, value);
    const code = f32x4.convert_i32x4_s(roundWithin(f32x4.mul(step, value), -levels, levels - 1));
    v128.store(CODES + i, code);
    cross = f32x4.add(cross, f32x4.mul(f32x4.mul(weight, value), code));
    squares = f32x4.add(squares, f32x4.mul(f32x4.mul(weight, code), code));
  }
  for (let pass = 0; pass < 5; pass++) {
    let changed = zero;
    for (let i = 0; i < 256; i += 16) {
      const value = v128.load(VALUES + i);
      const old = v128.load(CODES + i);
      const weight = f32x4.mul(value, value);
      const product = f32x4.mul(weight, value);
      const crossWithout = f32x4.sub(cross, f32x4.mul(product, old));
      const squaresWithout = f32x4.sub(squares, f32x4.mul(f32x4.mul(weight, old), old));
      const code = f32x4.convert_i32x4_s(roundWithin(f32x4.div(f32x4.mul(value, squaresWithout), crossWithout), -levels, levels - 1));
      const newCross = f32x4.add(crossWithout, f32x4.mul(product, code));
      const newSquares = f32x4.add(squaresWithout, f32x4.mul(f32x4.mul(weight, code), code));
      const isBetter = f32x4.gt(f32x4.mul(f32x4.mul(newCross, newCross), squares), f32x4.mul(f32x4.mul(cross, cross), newSquares));
      const isPossible = v128.and(f32x4.gt(crossWithout, zero), f32x4.gt(newSquares, zero));
      const wins = v128.and(v128.and(isBetter, isPossible), f32x4.ne(code, old));
      v128.store(CODES + i, v128.bitselect(code, old, wins));
      cross = v128.bitselect(newCross, cross, wins);
      squares = v128.bitselect(newSquares, squares, wins);
      changed = v128.or(changed, wins);
    }
    if (!v128.any_true(changed)) break;
  }
  v128.store(SCALE, v128.andnot(v128.and(f32x4.div(cross, squares), f32x4.gt(squares, zero)), isZero));
  v128.store(STEP, v128.andnot(f32x4.splat(1), isZero));
}

/** The code of value i that `fitByPasses` found in a lane. */
export function codeOf(i: i32, lane: i32, levels: i32): u8 {
  if (load<f32>(STEP + 4 * lane) == 0) return 0;
  return <u8>(<i32>load<f32>(CODES + 16 * i + 4 * lane) + levels);
}
