import { largest, roundEven, storeHalf } from "./arithmetic";
import { fitAsymmetric } from "./asymmetric-fit";
import { asymmetricCodes, CODES, storedCodes, storeFourBits, storeHighBits } from "./codes";
import { loadValues, rmsWeights } from "./lanes";
import { fitNonNegative } from "./scale-fit";
import {
  keepAsymmetric,
  LOWS,
  meanSquare,
  MIN_CODES,
  MINIMA,
  SCALE_CODES,
  SCALES,
  STEPS,
  SUB_WEIGHTS,
  weighByImportance,
} from "./super-block";

function storedScales(values: usize, codes: usize): f32 {
  const most = largest(values, 8);
  const step: f32 = most > 0 ? <f32>63 / most : 0;
  for (let sub: usize = 0; sub < 8; sub++) store<u8>(codes + sub, <u8>min(63, roundEven(step * load<f32>(values + 4 * sub)) & 255));
  return most / 63;
}

function packSixBits(to: usize): void {
  for (let j: usize = 0; j < 4; j++) {
    const scale = load<u8>(SCALE_CODES + j + 4);
    const least = load<u8>(MIN_CODES + j + 4);
    store<u8>(to + j, load<u8>(SCALE_CODES + j) | ((scale >> 4) << 6));
    store<u8>(to + 4 + j, load<u8>(MIN_CODES + j) | ((least >> 4) << 6));
    store<u8>(to + 8 + j, (scale & 15) | ((least & 15) << 4));
  }
}

/** Q4_K and Q5_K. */
export function q4k_q5k(x: usize, columns: usize, out: usize, maxCode: i32): void {
  const square: f32 = columns ? meanSquare(x, 2) : 0;
  for (let sub = 0; sub < 8; sub += 4) {
    if (columns) {
      weighByImportance(x, sub, 32, columns, square);
      fitAsymmetric(32, maxCode, -0.9, 0.05, 36, false);
    } else {
      loadValues(x + 4 * 32 * sub, 32);
      rmsWeights(32);
      fitAsymmetric(32, maxCode, maxCode == 15 ? -1 : -0.5, 0.1, maxCode == 15 ? 20 : 15, false);
    }
    keepAsymmetric(sub);
  }
  const d = storeHalf(out, columns ? fitNonNegative(SCALES, 8, 63, SUB_WEIGHTS, SCALE_CODES) : storedScales(SCALES, SCALE_CODES));
  const dmin = storeHalf(out + 2, columns ? fitNonNegative(MINIMA, 8, 63, SUB_WEIGHTS, MIN_CODES) : storedScales(MINIMA, MIN_CODES));
  packSixBits(out + 4);
  for (let sub: usize = 0; sub < 8; sub++) {
    const scale = d * <f32>load<u8>(SCALE_CODES + sub);
    const at = x + 4 * 32 * sub;
    const codes = CODES + 32 * sub;
    if (scale == 0) asymmetricCodes(at, 32, load<f32>(STEPS + 4 * sub), load<f32>(LOWS + 4 * sub), maxCode, codes);
    else storedCodes(at, 32, scale, dmin * <f32>load<u8>(MIN_CODES + sub), 0, maxCode, codes);
  }
  storeFourBits(out + (maxCode == 31 ? 48 : 16));
  if (maxCode == 31) storeHighBits(out + 16, 4);
}
