import { largest, roundEven, storeHalf } from "./arithmetic";
import { fitAsymmetric } from "./asymmetric-fit";
import { asymmetricCodes, CODES, storedCodes, storeTwoBits } from "./codes";
import { loadValues, magnitudesAsWeights } from "./lanes";
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
  const most = largest(values, 16);
  const step: f32 = most > 0 ? <f32>15 / most : 0;
  for (let sub: usize = 0; sub < 16; sub++) store<u8>(codes + sub, most > 0 ? <u8>roundEven(step * load<f32>(values + 4 * sub)) : 0);
  return most > 0 ? most / 15 : 0;
}

export function q2k(x: usize, columns: usize, out: usize): void {
  const square: f32 = columns ? meanSquare(x, 1) : 0;
  for (let sub = 0; sub < 16; sub += 4) {
    if (columns) {
      weighByImportance(x, sub, 16, columns, square);
      fitAsymmetric(16, 3, -0.9, 0.05, 36, false);
    } else {
      loadValues(x + 4 * 16 * sub, 16);
      magnitudesAsWeights(16);
      fitAsymmetric(16, 3, -0.5, 0.1, 15, true);
    }
    keepAsymmetric(sub);
  }
  const d = storeHalf(out + 80, columns ? fitNonNegative(SCALES, 16, 15, SUB_WEIGHTS, SCALE_CODES) : storedScales(SCALES, SCALE_CODES));
  const dmin = storeHalf(out + 82, columns ? fitNonNegative(MINIMA, 16, 15, SUB_WEIGHTS, MIN_CODES) : storedScales(MINIMA, MIN_CODES));
  for (let sub: usize = 0; sub < 16; sub++) {
    const packed = load<u8>(SCALE_CODES + sub) | (load<u8>(MIN_CODES + sub) << 4);
    store<u8>(out + sub, packed);
    const scale = d * <f32>(packed & 15);
    const at = x + 4 * 16 * sub;
    const codes = CODES + 16 * sub;
    if (scale == 0) asymmetricCodes(at, 16, load<f32>(STEPS + 4 * sub), load<f32>(LOWS + 4 * sub), 3, codes);
    else storedCodes(at, 16, scale, dmin * <f32>(packed >> 4), 0, 3, codes);
  }
  storeTwoBits(out + 16, 0);
}
