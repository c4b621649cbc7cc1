import { sumSquares } from "./arithmetic";
import * as asymmetric from "./asymmetric-fit";
import { importanceWeights, loadValues } from "./lanes";

// What was found for the sub-blocks of a super-block, sixteen at most.

export const SCALES: usize = memory.data(64, 16);
export const MINIMA: usize = memory.data(64, 16);
export const STEPS: usize = memory.data(64, 16);
export const LOWS: usize = memory.data(64, 16);
/** Sums of the weights, with an importance matrix. */
export const SUB_WEIGHTS: usize = memory.data(64, 16);
export const SCALE_CODES: usize = memory.data(16, 16);
export const MIN_CODES: usize = memory.data(16, 16);

/** Loads the sub-blocks sub .. sub + 3 and their weights by the importance of their columns; mean square is that of the super-block, `times` over. */
export function weighByImportance(x: usize, sub: i32, size: i32, columns: usize, meanSquare: f32): void {
  loadValues(x + 4 * sub * size, size);
  const stride = 4 * size;
  const at = columns + sub * stride;
  const sums = importanceWeights(at, at + stride, at + 2 * stride, at + 3 * stride, f32x4.splat(meanSquare), size);
  v128.store(SUB_WEIGHTS + 4 * sub, sums);
}

/** Mean square of a super-block, or twice that. */
export function meanSquare(x: usize, times: f32): f32 {
  return (times * sumSquares(x, 256)) / 256;
}

/** Keeps what an asymmetric fit of four sub-blocks found. */
export function keepAsymmetric(sub: i32): void {
  v128.store(SCALES + 4 * sub, v128.load(asymmetric.SCALE));
  v128.store(MINIMA + 4 * sub, v128.load(asymmetric.MIN));
  v128.store(STEPS + 4 * sub, v128.load(asymmetric.STEP));
  v128.store(LOWS + 4 * sub, v128.load(asymmetric.LOW));
}
