import { EPS, extreme, inverse, roundEven, storeHalf } from "./arithmetic";
import { CODES, narrow, storeNibbles } from "./codes";
import { loadValues, squaresAsWeights, VALUES, WEIGHTS } from "./lanes";
import { meanSquare, SCALES, weighByImportance } from "./super-block";
import { extremes } from "./symmetric-fit";

// The sixteen codes stand for −127 −104 −83 −65 −49 −35 −22 −10 1 13 25 38 53 69 89 113. A value halfway between two goes to the upper, and so does
// every value from there on: the differences that the plain code compares are exact in f32 near the middle, and monotonic elsewhere.

function riseAt(values: v128, from: f32, rise: f32): v128 {
  return v128.and(f32x4.ge(values, f32x4.splat(from)), f32x4.splat(rise));
}

/** The value of the table nearest to each of four: −127 and the steps up to it, which are whole numbers. */
function nearestValue(values: v128): v128 {
  const a = f32x4.add(
    f32x4.add(riseAt(values, -115.5, 23), riseAt(values, -93.5, 21)),
    f32x4.add(riseAt(values, -74, 18), riseAt(values, -57, 16)),
  );
  const b = f32x4.add(
    f32x4.add(riseAt(values, -42, 14), riseAt(values, -28.5, 13)),
    f32x4.add(riseAt(values, -16, 12), riseAt(values, -4.5, 11)),
  );
  const c = f32x4.add(
    f32x4.add(riseAt(values, 7, 12), riseAt(values, 19, 12)),
    f32x4.add(riseAt(values, 31.5, 13), riseAt(values, 45.5, 15)),
  );
  const d = f32x4.add(f32x4.add(riseAt(values, 61, 16), riseAt(values, 79, 20)), f32x4.add(riseAt(values, 101, 24), f32x4.splat(-127)));
  return f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
}

function isFrom(values: v128, from: f32): v128 {
  return f32x4.ge(values, f32x4.splat(from));
}

/** Its code; NaN gives 1, as in the reference. */
function nearestCode(values: v128): v128 {
  const a = i32x4.add(
    i32x4.add(v128.not(f32x4.lt(values, f32x4.splat(-115.5))), isFrom(values, -93.5)),
    i32x4.add(isFrom(values, -74), isFrom(values, -57)),
  );
  const b = i32x4.add(i32x4.add(isFrom(values, -42), isFrom(values, -28.5)), i32x4.add(isFrom(values, -16), isFrom(values, -4.5)));
  const c = i32x4.add(i32x4.add(isFrom(values, 7), isFrom(values, 19)), i32x4.add(isFrom(values, 31.5), isFrom(values, 45.5)));
  const d = i32x4.add(i32x4.add(isFrom(values, 61), isFrom(values, 79)), isFrom(values, 101));
  return i32x4.neg(i32x4.add(i32x4.add(a, b), i32x4.add(c, d)));
}

/** Scales of four sub-blocks of 32 by their weights: of the first guess and fifteen beside it the one with the largest cross² / squares. */
export function fitTable(): v128 {
  const zero = f32x4.splat(0);
  const peak = extremes(32);
  const isZero = f32x4.lt(f32x4.abs(peak), f32x4.splat(EPS));
  let scale = zero;
  let best = zero;
  for (let k = -8; k <= 7; k++) {
    const isFirst = k == -8;
    const id = isFirst
      ? f32x4.div(f32x4.splat(1), f32x4.div(f32x4.neg(peak), f32x4.splat(-127)))
      : f32x4.div(f32x4.splat(<f32>(k - 127)), peak);
    let cross = zero;
    let squares = zero;
    for (let i = 0; i < 512; i += 16) {
      const value = v128.load(VALUES + i);
      const step = nearestValue(f32x4.mul(id, value));
      const weighted = f32x4.mul(v128.load(WEIGHTS + i), step);
      cross = f32x4.add(cross, f32x4.mul(weighted, value));
      squares = f32x4.add(squares, f32x4.mul(weighted, step));
    }
    const isPositive = f32x4.gt(squares, zero);
    const isBetter = v128.and(isPositive, f32x4.gt(f32x4.mul(cross, cross), f32x4.mul(best, squares)));
    const wins = isFirst ? i32x4.splat(-1) : isBetter;
    const thisScale = v128.and(f32x4.div(cross, squares), isPositive);
    scale = v128.bitselect(thisScale, scale, wins);
    best = v128.bitselect(f32x4.mul(thisScale, cross), best, wins);
  }
  return v128.andnot(scale, isZero);
}

function storeCodes(x: usize, id: f32, out: usize): void {
  const ids = f32x4.splat(id);
  for (let i = 0; i < 32; i += 16) {
    const four = x + 4 * i;
    const a = nearestCode(f32x4.mul(v128.load(four), ids));
    const b = nearestCode(f32x4.mul(v128.load(four + 16), ids));
    const c = nearestCode(f32x4.mul(v128.load(four + 32), ids));
    const d = nearestCode(f32x4.mul(v128.load(four + 48), ids));
    v128.store(CODES + i, narrow(a, b, c, d));
  }
  storeNibbles(out, false);
}

/** IQ4_NL by the scale that was fitted. */
export function iq4nl(x: usize, scale: f32, out: usize): void {
  storeHalf(out, scale);
  storeCodes(x, inverse(scale), out + 2);
}

export function iq4xs(x: usize, columns: usize, out: usize): void {
  const square: f32 = columns ? meanSquare(x, 2) : 0;
  for (let sub = 0; sub < 8; sub += 4) {
    if (columns) weighByImportance(x, sub, 32, columns, square);
    else {
      loadValues(x + 128 * sub, 32);
      squaresAsWeights(32);
    }
    v128.store(SCALES + 4 * sub, fitTable());
  }
  const d: f32 = -extreme(SCALES, 8) / 32;
  const id = inverse(d);
  storeHalf(out, d);
  let upper: u32 = 0;
  let lower: u32 = 0;
  for (let sub = 0; sub < 8; sub++) {
    const step = min(31, max(-32, roundEven(id * load<f32>(SCALES + 4 * sub))));
    const code = <u32>(step + 32);
    upper |= (code >> 4) << (2 * sub);
    lower |= (code & 15) << (4 * sub);
    storeCodes(x + 128 * sub, inverse(d * <f32>step), out + 8 + 16 * sub);
  }
  store<u16>(out + 2, <u16>upper);
  store<u32>(out + 4, lower);
}
