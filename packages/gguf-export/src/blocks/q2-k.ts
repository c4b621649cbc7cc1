import { type BlockFormat, importanceWeights, sumSquares } from "./block-format.js";
import { type AsymmetricSearch, fitAsymmetric, fitNonNegative, importanceSearch } from "./fits.js";
import { roundEven, roundWithin, storeHalf } from "./rounding.js";
import { dequantizeWithMinima, largest, loadScales, loadTwoBits, storeTwoBits, SUPER_BLOCK } from "./super-block.js";

const f = Math.fround;
const SIZE = 16; // values of a sub-block
const MAX_CODE = 3;
const search: AsymmetricSearch = { from: -0.5, by: /* @__PURE__ */ f(0.1), steps: 15, absolute: true };

const scales = /* @__PURE__ */ new Float32Array(16);
const minima = /* @__PURE__ */ new Float32Array(16);
const subWeights = /* @__PURE__ */ new Float32Array(16);
const scaleCodes = /* @__PURE__ */ new Uint8Array(16);
const minCodes = /* @__PURE__ */ new Uint8Array(16);
const weights = /* @__PURE__ */ new Float32Array(SIZE);
const codes = /* @__PURE__ */ new Uint8Array(SUPER_BLOCK);

/** Codes 0 .. 15 of the scales or minima, the largest as 15; returns d, not yet rounded. */
function storedScales(values: Float32Array, into: Uint8Array): number {
  const most = largest(values);
  for (let sub = 0; sub < 16; sub++) into[sub] = most > 0 ? roundEven(f(f(15 / most) * values[sub]!)) : 0;
  return most > 0 ? f(most / 15) : 0;
}

/** Q2_K: x ≈ (d · scale) · code − (dmin · min), two bits a value, four for the scale and the min of each 16. */
export const q2_k: BlockFormat = {
  values: SUPER_BLOCK,
  bytes: 84,
  scales: [80, 82],
  quantize(x, at, out, to, importance) {
    const meanSquare = importance && f(sumSquares(x, at, SUPER_BLOCK) / SUPER_BLOCK);
    for (let sub = 0; sub < 16; sub++) {
      const from = at + sub * SIZE;
      if (importance !== undefined && meanSquare !== undefined) {
        subWeights[sub] = importanceWeights(x, from, SIZE, importance.columns.subarray(sub * SIZE), meanSquare, weights);
      } else for (let i = 0; i < SIZE; i++) weights[i] = Math.abs(x[from + i]!);
      const { scale, min } = fitAsymmetric(x, from, SIZE, MAX_CODE, weights, importance ? importanceSearch : search, codes, sub * SIZE);
      scales[sub] = scale;
      minima[sub] = min;
    }
    const d = storeHalf(out, to + 80, importance ? fitNonNegative(scales, 15, subWeights, scaleCodes) : storedScales(scales, scaleCodes));
    const dmin = storeHalf(out, to + 82, importance ? fitNonNegative(minima, 15, subWeights, minCodes) : storedScales(minima, minCodes));
    for (let sub = 0; sub < 16; sub++) {
      const packed = (scaleCodes[sub]! | (minCodes[sub]! << 4)) & 255;
      out[to + sub] = packed;
      const scale = f(d * (packed & 15));
      if (scale === 0) continue; // the codes of the fit stay
      const min = f(dmin * (packed >> 4));
      for (let e = sub * SIZE; e < (sub + 1) * SIZE; e++) codes[e] = roundWithin(f(f(x[at + e]! + min) / scale), 0, MAX_CODE);
    }
    storeTwoBits(codes, out, to + 16);
  },
  dequantize(bytes, at, out, to) {
    dequantizeWithMinima(
      { ...loadScales(bytes, at + 80), size: SIZE },
      (sub) => bytes[at + sub]! & 15,
      (sub) => bytes[at + sub]! >> 4,
      (e) => loadTwoBits(bytes, at + 16, e),
      out,
      to,
    );
  },
};
