import { type BlockFormat, importanceWeights } from "./block-format.js";
import { fitAsymmetric, fitSymmetric, importanceSearch } from "./fits.js";
import { extreme, inverse, loadHalf, storeHalf, truncateToByte } from "./rounding.js";

const f = Math.fround;
const weights = /* @__PURE__ */ new Float32Array(32);
const codes = /* @__PURE__ */ new Uint8Array(32);

/** Two codes a byte: value e low, value e + 16 high. The fifth bits, where there are any, are bits of a u32 before them. */
function storeCodes(out: Uint8Array, to: number, withFifthBit: boolean): void {
  const nibblesAt = withFifthBit ? to + 4 : to;
  for (let e = 0; e < 16; e++) out[nibblesAt + e] = (codes[e]! & 15) | ((codes[e + 16]! & 15) << 4);
  if (withFifthBit) for (let e = 0; e < 32; e++) out[to + (e >> 3)]! |= ((codes[e]! >> 4) & 1) << (e & 7);
}

function loadCodes(bytes: Uint8Array, at: number, withFifthBit: boolean): void {
  const nibblesAt = withFifthBit ? at + 4 : at;
  for (let e = 0; e < 32; e++) {
    const nibble = (bytes[nibblesAt + (e & 15)]! >> (e < 16 ? 0 : 4)) & 15;
    codes[e] = withFifthBit ? nibble + 16 * ((bytes[at + (e >> 3)]! >> (e & 7)) & 1) : nibble;
  }
}

/** Q4_0 and Q5_0: x ≈ d · (code − levels). d is −extreme / levels, so that the value of largest magnitude is exact. */
function symmetricBlocks(levels: 8 | 16): BlockFormat {
  const withFifthBit = levels === 16;
  return {
    values: 32,
    bytes: withFifthBit ? 22 : 18,
    scales: [0],
    quantize(x, at, out, to, importance) {
      if (importance !== undefined) {
        importanceWeights(x, at, 32, importance.columns, importance.rowMeanSquare, weights);
        storeHalf(out, to, fitSymmetric(x, at, 32, levels, weights, codes, 0));
      } else {
        const d = f(extreme(x, at, 32) / -levels);
        const id = inverse(d);
        storeHalf(out, to, d);
        const half = levels + 0.5;
        for (let e = 0; e < 32; e++) codes[e] = Math.min(2 * levels - 1, truncateToByte(f(f(x[at + e]! * id) + half)));
      }
      storeCodes(out, to + 2, withFifthBit);
    },
    dequantize(bytes, at, out, to) {
      const d = loadHalf(bytes, at);
      loadCodes(bytes, at + 2, withFifthBit);
      for (let e = 0; e < 32; e++) out[to + e] = f((codes[e]! - levels) * d);
    },
  };
}

/** Q4_1 and Q5_1: x ≈ d · code + min, over the range of the block. */
function asymmetricBlocks(maxCode: 15 | 31): BlockFormat {
  const withFifthBit = maxCode === 31;
  return {
    values: 32,
    bytes: withFifthBit ? 24 : 20,
    scales: [0, 2],
    quantize(x, at, out, to, importance) {
      if (importance !== undefined) {
        importanceWeights(x, at, 32, importance.columns, importance.rowMeanSquare, weights);
        const { scale, min } = fitAsymmetric(x, at, 32, maxCode, weights, importanceSearch, codes, 0);
        storeHalf(out, to, scale);
        storeHalf(out, to + 2, -min);
      } else {
        let [low, high] = [x[at]!, x[at]!];
        for (let i = at + 1; i < at + 32; i++) {
          if (x[i]! < low) low = x[i]!;
          if (x[i]! > high) high = x[i]!;
        }
        const d = f(f(high - low) / maxCode);
        const id = inverse(d);
        storeHalf(out, to, d);
        storeHalf(out, to + 2, low);
        for (let e = 0; e < 32; e++) codes[e] = Math.min(maxCode, truncateToByte(f(f(f(x[at + e]! - low) * id) + 0.5)));
      }
      storeCodes(out, to + 4, withFifthBit);
    },
    dequantize(bytes, at, out, to) {
      const [d, min] = [loadHalf(bytes, at), loadHalf(bytes, at + 2)];
      loadCodes(bytes, at + 4, withFifthBit);
      for (let e = 0; e < 32; e++) out[to + e] = f(f(codes[e]! * d) + min);
    },
  };
}

export const q4_0: BlockFormat = /* @__PURE__ */ symmetricBlocks(8);
export const q5_0: BlockFormat = /* @__PURE__ */ symmetricBlocks(16);
export const q4_1: BlockFormat = /* @__PURE__ */ asymmetricBlocks(15);
export const q5_1: BlockFormat = /* @__PURE__ */ asymmetricBlocks(31);

/** Q8_0: x ≈ d · q, q a signed byte, d = largest magnitude / 127; ties are rounded away from zero. An importance matrix changes nothing. */
export const q8_0: BlockFormat = {
  values: 32,
  bytes: 34,
  scales: [0],
  quantize(x, at, out, to) {
    const d = f(Math.abs(extreme(x, at, 32)) / 127);
    const id = inverse(d);
    storeHalf(out, to, d);
    for (let e = 0; e < 32; e++) {
      const scaled = f(x[at + e]! * id);
      const magnitude = Math.floor(Math.abs(scaled) + 0.5); // exact in doubles
      out[to + 2 + e] = Number.isFinite(scaled) ? (scaled < 0 ? -magnitude : magnitude) : 0;
    }
  },
  dequantize(bytes, at, out, to) {
    const d = loadHalf(bytes, at);
    for (let e = 0; e < 32; e++) out[to + e] = f(((bytes[at + 2 + e]! << 24) >> 24) * d);
  },
};
