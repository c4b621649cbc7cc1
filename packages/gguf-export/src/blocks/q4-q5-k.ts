import { type BlockFormat, importanceWeights, sumSquares } from "./block-format.js";
import { type AsymmetricSearch, fitAsymmetric, fitNonNegative, importanceSearch } from "./fits.js";
import { roundEven, roundWithin, storeHalf } from "./rounding.js";
import {
  dequantizeWithMinima,
  largest,
  loadFourBits,
  loadHighBit,
  loadScales,
  storeFourBits,
  storeHighBits,
  SUPER_BLOCK,
} from "./super-block.js";

const f = Math.fround;
const SIZE = 32; // values of a sub-block
const searches: Record<15 | 31, AsymmetricSearch> = {
  15: { from: -1, by: /* @__PURE__ */ f(0.1), steps: 20, absolute: false },
  31: { from: -0.5, by: /* @__PURE__ */ f(0.1), steps: 15, absolute: false },
};

const scales = /* @__PURE__ */ new Float32Array(8);
const minima = /* @__PURE__ */ new Float32Array(8);
const subWeights = /* @__PURE__ */ new Float32Array(8);
const scaleCodes = /* @__PURE__ */ new Uint8Array(8);
const minCodes = /* @__PURE__ */ new Uint8Array(8);
const weights = /* @__PURE__ */ new Float32Array(SIZE);
const codes = /* @__PURE__ */ new Uint8Array(SUPER_BLOCK);

/** Weights of the fit without an importance matrix: root mean square of the sub-block plus |x|. */
function plainWeights(x: Float32Array, from: number): void {
  const rms = f(Math.sqrt(f(sumSquares(x, from, SIZE) / SIZE)));
  for (let i = 0; i < SIZE; i++) weights[i] = f(rms + Math.abs(x[from + i]!));
}

/** Codes 0 .. 63 of the scales or minima, the largest as 63; returns d, not yet rounded. */
function storedScales(values: Float32Array, into: Uint8Array): number {
  const most = largest(values);
  const step = most > 0 ? f(63 / most) : 0;
  for (let sub = 0; sub < 8; sub++) into[sub] = Math.min(63, roundEven(f(step * values[sub]!)) & 255);
  return f(most / 63);
}

/** Eight scales and eight minima of six bits in twelve bytes: the first four of each whole, with the upper two bits of the other four on top. */
function packSixBits(out: Uint8Array, to: number): void {
  for (let j = 0; j < 4; j++) {
    out[to + j] = scaleCodes[j]! | ((scaleCodes[j + 4]! >> 4) << 6);
    out[to + 4 + j] = minCodes[j]! | ((minCodes[j + 4]! >> 4) << 6);
    out[to + 8 + j] = (scaleCodes[j + 4]! & 15) | ((minCodes[j + 4]! & 15) << 4);
  }
}

function scaleAt(bytes: Uint8Array, at: number, sub: number): number {
  return sub < 4 ? bytes[at + sub]! & 63 : (bytes[at + 4 + sub]! & 15) | ((bytes[at + sub - 4]! >> 6) << 4);
}

function minAt(bytes: Uint8Array, at: number, sub: number): number {
  return sub < 4 ? bytes[at + 4 + sub]! & 63 : (bytes[at + 4 + sub]! >> 4) | ((bytes[at + sub]! >> 6) << 4);
}

/** x ≈ (d · scale) · code − (dmin · min), four or five bits a value, six for the scale and the min of each 32. */
function blocksOf(maxCode: 15 | 31): BlockFormat {
  const withFifthBit = maxCode === 31;
  const codesAt = withFifthBit ? 48 : 16;
  return {
    values: SUPER_BLOCK,
    bytes: withFifthBit ? 176 : 144,
    scales: [0, 2],
    quantize(x, at, out, to, importance) {
      const meanSquare = importance && f(f(2 * sumSquares(x, at, SUPER_BLOCK)) / SUPER_BLOCK);
      for (let sub = 0; sub < 8; sub++) {
        const from = at + sub * SIZE;
        if (importance !== undefined && meanSquare !== undefined) {
          subWeights[sub] = importanceWeights(x, from, SIZE, importance.columns.subarray(sub * SIZE), meanSquare, weights);
        } else plainWeights(x, from);
        const search = importance ? importanceSearch : searches[maxCode];
        const { scale, min } = fitAsymmetric(x, from, SIZE, maxCode, weights, search, codes, sub * SIZE);
        scales[sub] = scale;
        minima[sub] = min;
      }
      const d = storeHalf(out, to, importance ? fitNonNegative(scales, 63, subWeights, scaleCodes) : storedScales(scales, scaleCodes));
      const dmin = storeHalf(out, to + 2, importance ? fitNonNegative(minima, 63, subWeights, minCodes) : storedScales(minima, minCodes));
      packSixBits(out, to + 4);
      for (let sub = 0; sub < 8; sub++) {
        const scale = f(d * scaleCodes[sub]!);
        if (scale === 0) continue; // the codes of the fit stay
        const min = f(dmin * minCodes[sub]!);
        for (let e = sub * SIZE; e < (sub + 1) * SIZE; e++) codes[e] = roundWithin(f(f(x[at + e]! + min) / scale), 0, maxCode);
      }
      storeFourBits(codes, out, to + codesAt);
      if (withFifthBit) storeHighBits(codes, 4, out, to + 16);
    },
    dequantize(bytes, at, out, to) {
      dequantizeWithMinima(
        { ...loadScales(bytes, at), size: SIZE },
        (sub) => scaleAt(bytes, at + 4, sub),
        (sub) => minAt(bytes, at + 4, sub),
        (e) => loadFourBits(bytes, at + codesAt, e) + (withFifthBit ? 16 * loadHighBit(bytes, at + 16, e) : 0),
        out,
        to,
      );
    },
  };
}

export const q4_k: BlockFormat = /* @__PURE__ */ blocksOf(15);
export const q5_k: BlockFormat = /* @__PURE__ */ blocksOf(31);
