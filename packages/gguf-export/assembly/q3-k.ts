import { extreme, roundEven, storeHalf } from "./arithmetic";
import { CODES, storedCodes, storeHighBits, storeTwoBits, symmetricCodes } from "./codes";
import { loadLanes, loadValues, VALUES, WEIGHTS } from "./lanes";
import { meanSquare, SCALE_CODES, SCALES, STEPS, SUB_WEIGHTS, weighByImportance } from "./super-block";
import { codeOf, fitByPasses, fitSymmetric, SCALE, STEP } from "./symmetric-fit";

const LEVELS: i32 = 4;

function storedScales(): f32 {
  const peak = extreme(SCALES, 16);
  memory.fill(SCALE_CODES, 0, 16);
  if (peak == 0) return 0;
  const step: f32 = <f32>-32 / peak;
  for (let sub: usize = 0; sub < 16; sub++) {
    store<u8>(SCALE_CODES + sub, <u8>(min(31, max(-32, roundEven(step * load<f32>(SCALES + 4 * sub)))) + 32));
  }
  return <f32>1 / step;
}

/** Scales by a symmetric fit of their own, in the first of four lanes. */
function fittedScales(): f32 {
  loadLanes(VALUES, SCALES, SCALES, SCALES, SCALES, 16);
  loadLanes(WEIGHTS, SUB_WEIGHTS, SUB_WEIGHTS, SUB_WEIGHTS, SUB_WEIGHTS, 16);
  fitSymmetric(16, 32);
  symmetricCodes(SCALES, 16, load<f32>(STEP), 32, SCALE_CODES);
  return load<f32>(SCALE);
}

function packSixBits(to: usize): void {
  for (let j: usize = 0; j < 8; j++) {
    store<u8>(to + j, (load<u8>(SCALE_CODES + j) & 15) | ((load<u8>(SCALE_CODES + j + 8) & 15) << 4));
  }
  for (let j: usize = 0; j < 4; j++) {
    let packed: u8 = 0;
    for (let part: usize = 0; part < 4; part++) packed |= (load<u8>(SCALE_CODES + j + 4 * part) >> 4) << (<u8>(2 * part));
    store<u8>(to + 8 + j, packed);
  }
}

export function q3k(x: usize, columns: usize, out: usize): void {
  const square: f32 = columns ? meanSquare(x, 2) : 0;
  for (let sub = 0; sub < 16; sub += 4) {
    if (columns) {
      weighByImportance(x, sub, 16, columns, square);
      fitSymmetric(16, LEVELS);
    } else {
      loadValues(x + 4 * 16 * sub, 16);
      fitByPasses(LEVELS);
      for (let lane = 0; lane < 4; lane++) {
        for (let i = 0; i < 16; i++) store<u8>(CODES + 16 * (sub + lane) + i, codeOf(i, lane, LEVELS));
      }
    }
    v128.store(SCALES + 4 * sub, v128.load(SCALE));
    v128.store(STEPS + 4 * sub, v128.load(STEP));
  }
  const d = storeHalf(out + 108, columns ? fittedScales() : storedScales());
  packSixBits(out + 96);
  for (let sub: usize = 0; sub < 16; sub++) {
    const scale = d * <f32>(<i32>load<u8>(SCALE_CODES + sub) - 32);
    const at = x + 4 * 16 * sub;
    const codes = CODES + 16 * sub;
    if (scale != 0) storedCodes(at, 16, scale, 0, -LEVELS, LEVELS - 1, codes);
    else if (columns) symmetricCodes(at, 16, load<f32>(STEPS + 4 * sub), LEVELS, codes);
  }
  storeTwoBits(out + 32, 0);
  storeHighBits(out, 2);
}
