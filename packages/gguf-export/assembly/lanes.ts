// Four sub-blocks side by side: vector i holds the i-th value of each. A sum over a sub-block then runs in a lane of its own, in the order of
// its values, as the plain fits sum it.

/** Values of the four sub-blocks, up to 32 vectors. */
export const VALUES: usize = memory.data(32 * 16, 16);
/** Their weights in a fit. */
export const WEIGHTS: usize = memory.data(32 * 16, 16);
const COLUMNS: usize = memory.data(32 * 16, 16);

/** Turns `size` values at each of four places into vectors. */
export function loadLanes(to: usize, a: usize, b: usize, c: usize, d: usize, size: i32): void {
  for (let i = 0; i < 4 * size; i += 16) {
    const rowA = v128.load(a + i);
    const rowB = v128.load(b + i);
    const rowC = v128.load(c + i);
    const rowD = v128.load(d + i);
    const lowAB = v128.shuffle<f32>(rowA, rowB, 0, 4, 1, 5);
    const lowCD = v128.shuffle<f32>(rowC, rowD, 0, 4, 1, 5);
    const highAB = v128.shuffle<f32>(rowA, rowB, 2, 6, 3, 7);
    const highCD = v128.shuffle<f32>(rowC, rowD, 2, 6, 3, 7);
    const vectors = to + 4 * i;
    v128.store(vectors, v128.shuffle<f32>(lowAB, lowCD, 0, 1, 4, 5));
    v128.store(vectors + 16, v128.shuffle<f32>(lowAB, lowCD, 2, 3, 6, 7));
    v128.store(vectors + 32, v128.shuffle<f32>(highAB, highCD, 0, 1, 4, 5));
    v128.store(vectors + 48, v128.shuffle<f32>(highAB, highCD, 2, 3, 6, 7));
  }
}

/** Four neighbouring sub-blocks as `VALUES`. */
export function loadValues(at: usize, size: i32): void {
  const stride = 4 * size;
  loadLanes(VALUES, at, at + stride, at + 2 * stride, at + 3 * stride, size);
}

/** weight = value². */
export function squaresAsWeights(size: i32): void {
  for (let i = 0; i < 16 * size; i += 16) {
    const value = v128.load(VALUES + i);
    v128.store(WEIGHTS + i, f32x4.mul(value, value));
  }
}

/** weight = |value|. */
export function magnitudesAsWeights(size: i32): void {
  for (let i = 0; i < 16 * size; i += 16) v128.store(WEIGHTS + i, f32x4.abs(v128.load(VALUES + i)));
}

/** weight = root mean square of the sub-block + |value|. */
export function rmsWeights(size: i32): void {
  let sum = f32x4.splat(0);
  for (let i = 0; i < 16 * size; i += 16) {
    const value = v128.load(VALUES + i);
    sum = f32x4.add(sum, f32x4.mul(value, value));
  }
  const rms = f32x4.sqrt(f32x4.div(sum, f32x4.splat(<f32>size)));
  for (let i = 0; i < 16 * size; i += 16) v128.store(WEIGHTS + i, f32x4.add(rms, f32x4.abs(v128.load(VALUES + i))));
}

/** weight = importance · sqrt(meanSquare + value²), the importance of the columns at four places; returns the sums of the weights. */
export function importanceWeights(a: usize, b: usize, c: usize, d: usize, meanSquare: v128, size: i32): v128 {
  loadLanes(COLUMNS, a, b, c, d, size);
  let sum = f32x4.splat(0);
  for (let i = 0; i < 16 * size; i += 16) {
    const value = v128.load(VALUES + i);
    const weight = f32x4.mul(v128.load(COLUMNS + i), f32x4.sqrt(f32x4.add(meanSquare, f32x4.mul(value, value))));
    v128.store(WEIGHTS + i, weight);
    sum = f32x4.add(sum, weight);
  }
  return sum;
}
