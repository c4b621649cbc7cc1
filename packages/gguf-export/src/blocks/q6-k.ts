import type { BlockFormat } from "./block-format.js";
import { fitSymmetric } from "./fits.js";
import { EPS, extreme, loadHalf, roundEven, roundWithin, storeHalf } from "./rounding.js";
import { SUPER_BLOCK } from "./super-block.js";

const f = Math.fround;
const SIZE = 16; // values of a sub-block
const LEVELS = 32;

const scales = /* @__PURE__ */ new Float32Array(16);
const codes = /* @__PURE__ */ new Uint8Array(SUPER_BLOCK);

/** Where value e lies: half h of 128 values, quarter k of 32 in it. Low four bits: bytes of quarters 0 and 1, quarters 2 and 3 in their upper halves. */
function lowByte(e: number): number {
  return 64 * (e >> 7) + (e & 63);
}

/** Upper two bits: four quarters share 32 bytes. */
function highByte(e: number): number {
  return 32 * (e >> 7) + (e & 31);
}

/** Q6_K: x ≈ (d · scale) · (code − 32), six bits a value, a signed byte for the scale of each 16. */
export const q6_k: BlockFormat = {
  values: SUPER_BLOCK,
  bytes: 210,
  scales: [208],
  quantize(x, at, out, to, importance) {
    for (let sub = 0; sub < 16; sub++) {
      const columns = importance?.columns.subarray(sub * SIZE, (sub + 1) * SIZE);
      scales[sub] = fitSymmetric(x, at + sub * SIZE, SIZE, LEVELS, columns, codes, sub * SIZE);
    }
    const peak = extreme(scales, 0, 16);
    if (Math.abs(peak) < EPS) return; // all bytes are zero
    const step = f(-128 / peak);
    const d = storeHalf(out, to + 208, f(1 / step));
    for (let sub = 0; sub < 16; sub++) {
      const scaleCode = (Math.min(127, roundEven(f(step * scales[sub]!))) << 24) >> 24;
      out[to + 192 + sub] = scaleCode;
      const scale = f(d * scaleCode);
      if (scale === 0) continue; // the codes of the fit stay
      for (let e = sub * SIZE; e < (sub + 1) * SIZE; e++) codes[e] = roundWithin(f(x[at + e]! / scale), -LEVELS, LEVELS - 1) + LEVELS;
    }
    for (let e = 0; e < SUPER_BLOCK; e++) {
      out[to + lowByte(e)]! |= (codes[e]! & 15) << (e & 64 ? 4 : 0);
      out[to + 128 + highByte(e)]! |= (codes[e]! >> 4) << (2 * ((e >> 5) & 3));
    }
  },
  dequantize(bytes, at, out, to) {
    const d = loadHalf(bytes, at + 208);
    for (let e = 0; e < SUPER_BLOCK; e++) {
      const scale = f(d * ((bytes[at + 192 + (e >> 4)]! << 24) >> 24));
      const low = (bytes[at + lowByte(e)]! >> (e & 64 ? 4 : 0)) & 15;
      const high = (bytes[at + 128 + highByte(e)]! >> (2 * ((e >> 5) & 3))) & 3;
      out[to + e] = f(scale * (low + 16 * high - LEVELS));
    }
  },
};
