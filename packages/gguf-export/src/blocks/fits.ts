import { EPS, extreme, roundWithin } from "./rounding.js";

const f = Math.fround;
const TENTH = /* @__PURE__ */ f(0.1);

/** A candidate of a fit: sums in f32 over the values, of which scale = cross / squares. */
interface Sums {
  cross: number;
  squares: number;
}

/**
 * Symmetric fit: x ≈ scale · (code − levels), codes 0 .. 2·levels − 1. Of the first guess −levels / extreme and eighteen beside it the one is taken
 * with the largest cross² / squares.
 *
 * @param weights  of the values; without, x²
 * @param codes    written at codesAt
 * @returns        the scale, which may be negative
 */
export function fitSymmetric(
  x: Float32Array,
  at: number,
  count: number,
  levels: number,
  weights: Float32Array | undefined,
  codes: Uint8Array,
  codesAt: number,
): number {
  const peak = extreme(x, at, count);
  codes.fill(0, codesAt, codesAt + count);
  if (Math.abs(peak) < EPS) return 0;
  const sumsWith = (step: number): Sums => {
    let cross = 0;
    let squares = 0;
    for (let i = 0; i < count; i++) {
      const value = x[at + i]!;
      const code = roundWithin(f(step * value), -levels, levels - 1);
      const weight = weights === undefined ? f(value * value) : weights[i]!;
      cross = f(cross + f(f(weight * value) * code));
      squares = f(squares + f(f(weight * code) * code));
    }
    return { cross, squares };
  };
  let chosen = f(-levels / peak);
  const first = sumsWith(chosen);
  let scale = first.squares === 0 ? 0 : f(first.cross / first.squares);
  let best = f(scale * first.cross);
  for (let k = -9; k <= 9; k++) {
    if (k === 0) continue;
    const step = f(-f(levels + f(TENTH * k)) / peak);
    const { cross, squares } = sumsWith(step);
    if (squares > 0 && f(cross * cross) > f(best * squares)) {
      chosen = step;
      scale = f(cross / squares);
      best = f(scale * cross);
    }
  }
  for (let i = 0; i < count; i++) codes[codesAt + i] = roundWithin(f(chosen * x[at + i]!), -levels, levels - 1) + levels;
  return scale;
}

/** How an asymmetric fit looks for a better step: steps + 1 candidates (from + by · k + maxCode) / range. */
export interface AsymmetricSearch {
  readonly from: number;
  readonly by: number;
  readonly steps: number;
  /** Sums |error| in place of error². */
  readonly absolute: boolean;
}

/** The search of a fit that has an importance matrix. */
export const importanceSearch: AsymmetricSearch = {
  from: /* @__PURE__ */ f(-0.9),
  by: /* @__PURE__ */ f(0.05),
  steps: 36,
  absolute: false,
};

const candidate = /* @__PURE__ */ new Uint8Array(32);

/**
 * Asymmetric fit: x ≈ scale · code − min, codes 0 .. maxCode, min ≥ 0. The lowest value counts from a candidate that won on: the next are
 * made with the one it found.
 *
 * @param weights  [count] of the values
 * @param codes    written at codesAt
 */
export function fitAsymmetric(
  x: Float32Array,
  at: number,
  count: number,
  maxCode: number,
  weights: Float32Array,
  { from, by, steps, absolute }: AsymmetricSearch,
  codes: Uint8Array,
  codesAt: number,
): { scale: number; min: number } {
  let low = x[at]!;
  let high = low;
  let sumWeights = weights[0]!;
  let sumValues = f(sumWeights * low);
  for (let i = 1; i < count; i++) {
    const value = x[at + i]!;
    if (value < low) low = value;
    if (value > high) high = value;
    sumWeights = f(sumWeights + weights[i]!);
    sumValues = f(sumValues + f(weights[i]! * value));
  }
  if (low > 0) low = 0;
  codes.fill(0, codesAt, codesAt + count);
  if (high <= low) return { scale: 0, min: -low };

  const errorOf = (taken: Uint8Array, takenAt: number, scale: number, low: number): number => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const difference = f(f(f(scale * taken[takenAt + i]!) + low) - x[at + i]!);
      sum = f(sum + f(weights[i]! * (absolute ? Math.abs(difference) : f(difference * difference))));
    }
    return sum;
  };
  const first = f(maxCode / f(high - low));
  let scale = f(1 / first);
  for (let i = 0; i < count; i++) codes[codesAt + i] = roundWithin(f(first * f(x[at + i]! - low)), 0, maxCode);
  let best = errorOf(codes, codesAt, scale, low);

  for (let k = 0; k <= steps; k++) {
    const step = f(f(f(from + f(by * k)) + maxCode) / f(high - low));
    let sumCodes = 0;
    let sumSquares = 0;
    let sumProducts = 0;
    for (let i = 0; i < count; i++) {
      const code = roundWithin(f(step * f(x[at + i]! - low)), 0, maxCode);
      candidate[i] = code;
      const weighted = f(weights[i]! * code);
      sumCodes = f(sumCodes + weighted);
      sumSquares = f(sumSquares + f(weighted * code));
      sumProducts = f(sumProducts + f(weighted * x[at + i]!));
    }
    const determinant = f(f(sumWeights * sumSquares) - f(sumCodes * sumCodes));
    if (!(determinant > 0)) continue;
    let thisScale = f(f(f(sumWeights * sumProducts) - f(sumValues * sumCodes)) / determinant);
    let thisLow = f(f(f(sumSquares * sumValues) - f(sumCodes * sumProducts)) / determinant);
    if (thisLow > 0) {
      thisLow = 0;
      thisScale = f(sumProducts / sumSquares);
    }
    const error = errorOf(candidate, 0, thisScale, thisLow);
    if (error < best) {
      for (let i = 0; i < count; i++) codes[codesAt + i] = candidate[i]!;
      best = error;
      scale = thisScale;
      low = thisLow;
    }
  }
  return { scale, min: -low };
}

/**
 * Fit of values that are not negative: v ≈ scale · code, codes 0 .. maxCode; how scales and minima of a super-block are stored with an importance matrix.
 *
 * @param weights  of the values
 */
export function fitNonNegative(v: Float32Array, maxCode: number, weights: Float32Array, codes: Uint8Array): number {
  const peak = v.reduce((most, value) => Math.max(most, value), 0);
  codes.fill(0);
  if (peak < EPS) return 0;
  const errorWith = (step: number): number => {
    const scale = f(1 / step);
    let sum = 0;
    for (let i = 0; i < v.length; i++) {
      const difference = f(v[i]! - f(scale * roundWithin(f(step * v[i]!), -Infinity, maxCode)));
      sum = f(sum + f(f(weights[i]! * difference) * difference));
    }
    return sum;
  };
  let step = f(maxCode / peak);
  let best = errorWith(step);
  for (let k = -4; k <= 4; k++) {
    if (k === 0) continue;
    const other = f(f(f(TENTH * k) + maxCode) / peak);
    const error = errorWith(other);
    if (error < best) [step, best] = [other, error];
  }

  let cross = 0;
  let squares = 0;
  const add = (i: number, code: number, sign: 1 | -1): Sums => ({
    cross: f(cross + sign * f(f(weights[i]! * v[i]!) * code)),
    squares: f(squares + sign * f(f(weights[i]! * code) * code)),
  });
  const taken = Array.from(v, (value, i) => {
    const code = roundWithin(f(step * value), -Infinity, maxCode);
    ({ cross, squares } = add(i, code, 1));
    return code;
  });
  for (let pass = 0, changed = true; pass < 5 && changed; pass++) {
    changed = false;
    for (let i = 0; i < v.length; i++) {
      const without = add(i, taken[i]!, -1);
      if (!(without.cross > 0 && without.squares > 0)) continue;
      const code = roundWithin(f(f(v[i]! * without.squares) / without.cross), -Infinity, maxCode);
      if (code === taken[i]) continue;
      const newCross = f(without.cross + f(f(weights[i]! * v[i]!) * code));
      const newSquares = f(without.squares + f(f(weights[i]! * code) * code));
      if (f(f(newCross * newCross) * squares) > f(f(cross * cross) * newSquares)) {
        taken[i] = code;
        [cross, squares, changed] = [newCross, newSquares, true];
      }
    }
  }
  codes.set(taken);
  return squares > 0 ? f(cross / squares) : 0;
}
