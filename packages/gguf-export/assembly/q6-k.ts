import { EPS, extreme, roundEven, storeHalf } from "./arithmetic";
import { CODES, storedCodes, storeTwoBits, symmetricCodes } from "./codes";
import { loadLanes, loadValues, squaresAsWeights, WEIGHTS } from "./lanes";
import { SCALES, STEPS } from "./super-block";
import { fitSymmetric, SCALE, STEP } from "./symmetric-fit";

const LEVELS: i32 = 32;

/** Low four bits: of each 128 values, quarters 0 and 1 in the lower halves of 64 bytes, quarters 2 and 3 in the upper ones. */
function storeLowBits(to: usize): void {
  const mask = i8x16.splat(15);
  for (let byte = 0; byte < 128; byte += 16) {
    const codes = CODES + 128 * (byte >> 6) + (byte & 63);
    v128.store(to + byte, v128.or(v128.and(v128.load(codes), mask), i8x16.shl(v128.load(codes + 64), 4)));
  }
}

export function q6k(x: usize, columns: usize, out: usize): void {
  for (let sub = 0; sub < 16; sub += 4) {
    const offset = 4 * 16 * sub;
    loadValues(x + offset, 16);
    if (columns) loadLanes(WEIGHTS, columns + offset, columns + offset + 64, columns + offset + 128, columns + offset + 192, 16);
    else squaresAsWeights(16);
    fitSymmetric(16, LEVELS);
    v128.store(SCALES + 4 * sub, v128.load(SCALE));
    v128.store(STEPS + 4 * sub, v128.load(STEP));
  }
  const peak = extreme(SCALES, 16);
  if (abs(peak) < EPS) {
    memory.fill(out, 0, 210);
    return;
  }
  const step: f32 = <f32>-128 / peak;
  const d = storeHalf(out + 208, <f32>1 / step);
  for (let sub: usize = 0; sub < 16; sub++) {
    const scaleCode = <i8>min(127, roundEven(step * load<f32>(SCALES + 4 * sub)));
    store<i8>(out + 192 + sub, scaleCode);
    const scale = d * <f32>scaleCode;
    const at = x + 4 * 16 * sub;
    if (scale == 0) symmetricCodes(at, 16, load<f32>(STEPS + 4 * sub), LEVELS, CODES + 16 * sub);
    else storedCodes(at, 16, scale, 0, -LEVELS, LEVELS - 1, CODES + 16 * sub);
  }
  storeLowBits(out);
  storeTwoBits(out + 128, 4);
}
