import { EPS, largest, roundEven } from "./arithmetic";

const TAKEN: usize = memory.data(16 * 4, 16);

function codeFor(value: f32, maxCode: i32): i32 {
  return min(roundEven(value), maxCode);
}

function errorWith(v: usize, count: i32, maxCode: i32, weights: usize, step: f32): f32 {
  const scale: f32 = <f32>1 / step;
  let sum: f32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<f32>(v + 4 * i);
    const difference = value - scale * <f32>codeFor(step * value, maxCode);
    sum += load<f32>(weights + 4 * i) * difference * difference;
  }
  return sum;
}

/** Scales or minima of a super-block with an importance matrix, as fitNonNegative of src/blocks/fits.ts: v ≈ scale · code; returns the scale. */
export function fitNonNegative(v: usize, count: i32, maxCode: i32, weights: usize, codes: usize): f32 {
  const peak = largest(v, count);
  memory.fill(codes, 0, count);
  if (peak < EPS) return 0;
  let step: f32 = <f32>maxCode / peak;
  let best = errorWith(v, count, maxCode, weights, step);
  for (let k = -4; k <= 4; k++) {
    if (k == 0) continue;
    const other: f32 = (<f32>0.1 * <f32>k + <f32>maxCode) / peak;
    const error = errorWith(v, count, maxCode, weights, other);
    if (error < best) {
      step = other;
      best = error;
    }
  }
  let cross: f32 = 0;
  let squares: f32 = 0;
  for (let i: usize = 0; i < <usize>count; i++) {
    const value = load<f32>(v + 4 * i);
    const weight = load<f32>(weights + 4 * i);
    const code = codeFor(step * value, maxCode);
    store<i32>(TAKEN + 4 * i, code);
    cross += weight * value * <f32>code;
    squares += weight * <f32>code * <f32>code;
  }
  let changed = true;
  for (let pass = 0; pass < 5 && changed; pass++) {
    changed = false;
    for (let i: usize = 0; i < <usize>count; i++) {
      const value = load<f32>(v + 4 * i);
      const weight = load<f32>(weights + 4 * i);
      const old = load<i32>(TAKEN + 4 * i);
      const crossWithout: f32 = cross - weight * value * <f32>old;
      const squaresWithout: f32 = squares - weight * <f32>old * <f32>old;
      if (!(crossWithout > 0 && squaresWithout > 0)) continue;
      const code = codeFor((value * squaresWithout) / crossWithout, maxCode);
      if (code == old) continue;
      const newCross: f32 = crossWithout + weight * value * <f32>code;
      const newSquares: f32 = squaresWithout + weight * <f32>code * <f32>code;
      if (newCross * newCross * squares > cross * cross * newSquares) {
        store<i32>(TAKEN + 4 * i, code);
        cross = newCross;
        squares = newSquares;
        changed = true;
      }
    }
  }
  for (let i: usize = 0; i < <usize>count; i++) store<u8>(codes + i, <u8>load<i32>(TAKEN + 4 * i));
  return squares > 0 ? cross / squares : 0;
}
