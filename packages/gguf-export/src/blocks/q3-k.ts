import { type BlockFormat, importanceWeights, sumSquares } from "./block-format.js";
import { fitSymmetric } from "./fits.js";
import { EPS, extreme, loadHalf, roundWithin, storeHalf } from "./rounding.js";
import { loadHighBit, loadTwoBits, storeHighBits, storeTwoBits, SUPER_BLOCK } from "./super-block.js";

const f = Math.fround;
const SIZE = 16; // values of a sub-block
const LEVELS = 4;

const scales = /* @__PURE__ */ new Float32Array(16);
const subWeights = /* @__PURE__ */ new Float32Array(16);
const scaleCodes = /* @__PURE__ */ new Uint8Array(16);
const weights = /* @__PURE__ */ new Float32Array(SIZE);
const codes = /* @__PURE__ */ new Uint8Array(SUPER_BLOCK);

/** Symmetric fit with weights x², in which single codes then change for as long as cross² / squares grows, in five passes at most. */
function fitByPasses(x: Float32Array, at: number, codesAt: number): number {
  const peak = extreme(x, at, SIZE);
  codes.fill(0, codesAt, codesAt + SIZE);
  if (Math.abs(peak) < EPS) return 0;
  const step = f(-LEVELS / peak);
  const taken = new Int8Array(SIZE);
  let cross = 0;
  let squares = 0;
  for (let i = 0; i < SIZE; i++) {
    const value = x[at + i]!;
    const weight = f(value * value);
    const code = roundWithin(f(step * value), -LEVELS, LEVELS - 1);
    taken[i] = code;
    cross = f(cross + f(f(weight * value) * code));
    squares = f(squares + f(f(weight * code) * code));
  }
  for (let pass = 0, changed = true; pass < 5 && changed; pass++) {
    changed = false;
    for (let i = 0; i < SIZE; i++) {
      const value = x[at + i]!;
      const weight = f(value * value);
      const old = taken[i]!;
      const crossWithout = f(cross - f(f(weight * value) * old));
      if (!(crossWithout > 0)) continue;
      const squaresWithout = f(squares - f(f(weight * old) * old));
      const code = roundWithin(f(f(value * squaresWithout) / crossWithout), -LEVELS, LEVELS - 1);
      if (code === old) continue;
      const newCross = f(crossWithout + f(f(weight * value) * code));
      const newSquares = f(squaresWithout + f(f(weight * code) * code));
      if (newSquares > 0 && f(f(newCross * newCross) * squares) > f(f(cross * cross) * newSquares)) {
        taken[i] = code;
        [cross, squares, changed] = [newCross, newSquares, true];
      }
    }
  }
  for (let i = 0; i < SIZE; i++) codes[codesAt + i] = taken[i]! + LEVELS;
  return squares > 0 ? f(cross / squares) : 0;
}

/** Codes 0 .. 63 of the scales, 32 for zero, the one of largest magnitude as 0; returns d, not yet rounded. */
function storedScales(): number {
  const peak = extreme(scales, 0, 16);
  scaleCodes.fill(0);
  if (peak === 0) return 0;
  const step = f(-32 / peak);
  for (let sub = 0; sub < 16; sub++) scaleCodes[sub] = roundWithin(f(step * scales[sub]!), -32, 31) + 32;
  return f(1 / step);
}

/** Sixteen codes of six bits in twelve bytes: the low four bits two a byte, then the upper two four a byte. */
function packSixBits(out: Uint8Array, to: number): void {
  for (let sub = 0; sub < 16; sub++) {
    out[to + (sub & 7)]! |= (scaleCodes[sub]! & 15) << (sub < 8 ? 0 : 4);
    out[to + 8 + (sub & 3)]! |= (scaleCodes[sub]! >> 4) << (2 * (sub >> 2));
  }
}

/** Q3_K: x ≈ (d · (scale − 32)) · (code − 4), three bits a value, six for the scale of each 16. */
export const q3_k: BlockFormat = {
  values: SUPER_BLOCK,
  bytes: 110,
  scales: [108],
  quantize(x, at, out, to, importance) {
    const meanSquare = importance && f(f(2 * sumSquares(x, at, SUPER_BLOCK)) / SUPER_BLOCK);
    for (let sub = 0; sub < 16; sub++) {
      const from = at + sub * SIZE;
      if (importance !== undefined && meanSquare !== undefined) {
        subWeights[sub] = importanceWeights(x, from, SIZE, importance.columns.subarray(sub * SIZE), meanSquare, weights);
        scales[sub] = fitSymmetric(x, from, SIZE, LEVELS, weights, codes, sub * SIZE);
      } else scales[sub] = fitByPasses(x, from, sub * SIZE);
    }
    const unrounded = importance ? fitSymmetric(scales, 0, 16, 32, subWeights, scaleCodes, 0) : storedScales();
    const d = storeHalf(out, to + 108, unrounded);
    packSixBits(out, to + 96);
    for (let sub = 0; sub < 16; sub++) {
      const scale = f(d * (scaleCodes[sub]! - 32));
      if (scale === 0) continue; // the codes of the fit stay
      for (let e = sub * SIZE; e < (sub + 1) * SIZE; e++) codes[e] = roundWithin(f(x[at + e]! / scale), -LEVELS, LEVELS - 1) + LEVELS;
    }
    storeTwoBits(codes, out, to + 32);
    storeHighBits(codes, 2, out, to);
  },
  dequantize(bytes, at, out, to) {
    const d = loadHalf(bytes, at + 108);
    for (let sub = 0; sub < 16; sub++) {
      const low = (bytes[at + 96 + (sub & 7)]! >> (sub < 8 ? 0 : 4)) & 15;
      const high = (bytes[at + 104 + (sub & 3)]! >> (2 * (sub >> 2))) & 3;
      const scale = f(d * (low + 16 * high - 32));
      for (let e = sub * SIZE; e < (sub + 1) * SIZE; e++) {
        out[to + e] = f(scale * (loadTwoBits(bytes, at + 32, e) + 4 * loadHighBit(bytes, at, e) - LEVELS));
      }
    }
  },
};
