import { type BlockFormat, type BlockImportance, importanceWeights, sumSquares } from "./block-format.js";
import { EPS, extreme, inverse, loadHalf, roundWithin, storeHalf } from "./rounding.js";
import { SUPER_BLOCK } from "./super-block.js";

const f = Math.fround;
const SIZE = 32; // values of a sub-block

/** What the sixteen codes stand for: finer near zero. */
const table: readonly number[] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** Code of the value of the table nearest to v, the larger of two that are as near. */
function nearest(v: number): number {
  if (v <= table[0]!) return 0;
  if (v >= table[15]!) return 15;
  let upper = 1;
  while (upper < 15 && v >= table[upper]!) upper++;
  return f(v - table[upper - 1]!) < f(table[upper]! - v) ? upper - 1 : upper;
}

const scales = /* @__PURE__ */ new Float32Array(8);
const weights = /* @__PURE__ */ new Float32Array(SIZE);

/** Weights of the fit without an importance matrix: x². */
function squaresAsWeights(x: Float32Array, at: number): void {
  for (let i = 0; i < SIZE; i++) weights[i] = f(x[at + i]! * x[at + i]!);
}

/** Fit of a sub-block by its weights: x ≈ scale · table[code]. Of the first guess and fifteen beside it the one with the largest cross² / squares. */
function fitTable(x: Float32Array, at: number): number {
  const peak = extreme(x, at, SIZE);
  if (Math.abs(peak) < EPS) return 0;
  let scale = 0;
  let best = 0;
  const tryWith = (id: number, isFirst: boolean): void => {
    let cross = 0;
    let squares = 0;
    for (let i = 0; i < SIZE; i++) {
      const value = x[at + i]!;
      const step = table[nearest(f(id * value))]!;
      const weighted = f(weights[i]! * step);
      cross = f(cross + f(weighted * value));
      squares = f(squares + f(weighted * step));
    }
    if (isFirst || (squares > 0 && f(cross * cross) > f(best * squares))) {
      scale = squares > 0 ? f(cross / squares) : 0;
      best = f(scale * cross);
    }
  };
  tryWith(f(1 / f(-peak / table[0]!)), true);
  for (let k = -7; k <= 7; k++) tryWith(f((k + table[0]!) / peak), false);
  return scale;
}

/** Scales of the `count` sub-blocks of a block; with importance a weight is that of its column · sqrt(2 · mean square of the block + x²). */
function fitScales(x: Float32Array, at: number, count: number, importance: BlockImportance | undefined): void {
  const meanSquare = importance ? f(f(2 * sumSquares(x, at, count * SIZE)) / (count * SIZE)) : 0;
  for (let sub = 0; sub < count; sub++) {
    const from = at + sub * SIZE;
    if (importance) importanceWeights(x, from, SIZE, importance.columns.subarray(sub * SIZE), meanSquare, weights);
    else squaresAsWeights(x, from);
    scales[sub] = fitTable(x, from);
  }
}

function storeCodes(x: Float32Array, at: number, id: number, out: Uint8Array, to: number): void {
  for (let e = 0; e < 16; e++) out[to + e] = nearest(f(x[at + e]! * id)) | (nearest(f(x[at + e + 16]! * id)) << 4);
}

function loadValues(bytes: Uint8Array, at: number, scale: number, out: Float32Array, to: number): void {
  for (let e = 0; e < SIZE; e++) out[to + e] = f(scale * table[(bytes[at + (e & 15)]! >> (e < 16 ? 0 : 4)) & 15]!);
}

/** IQ4_NL: x ≈ d · table[code], blocks of 32. */
export const iq4_nl: BlockFormat = {
  values: SIZE,
  bytes: 18,
  scales: [0],
  quantize(x, at, out, to, importance) {
    fitScales(x, at, 1, importance);
    const scale = scales[0]!;
    storeHalf(out, to, scale);
    storeCodes(x, at, inverse(scale), out, to + 2);
  },
  dequantize(bytes, at, out, to) {
    loadValues(bytes, at + 2, loadHalf(bytes, at), out, to);
  },
};

/** IQ4_XS: x ≈ (d · (scale − 32)) · table[code], six bits for the scale of each 32. */
export const iq4_xs: BlockFormat = {
  values: SUPER_BLOCK,
  bytes: 136,
  scales: [0],
  quantize(x, at, out, to, importance) {
    fitScales(x, at, 8, importance);
    const d = f(-extreme(scales, 0, 8) / 32);
    const id = inverse(d);
    storeHalf(out, to, d);
    for (let sub = 0; sub < 8; sub++) {
      const step = roundWithin(f(id * scales[sub]!), -32, 31);
      const code = step + 32;
      out[to + 2 + (sub >> 2)]! |= (code >> 4) << (2 * (sub & 3));
      out[to + 4 + (sub >> 1)]! |= (code & 15) << (4 * (sub & 1));
      storeCodes(x, at + sub * SIZE, inverse(f(d * step)), out, to + 8 + 16 * sub); // by the d that was not rounded
    }
  },
  dequantize(bytes, at, out, to) {
    const d = loadHalf(bytes, at);
    for (let sub = 0; sub < 8; sub++) {
      const low = (bytes[at + 4 + (sub >> 1)]! >> (4 * (sub & 1))) & 15;
      const high = (bytes[at + 2 + (sub >> 2)]! >> (2 * (sub & 3))) & 3;
      loadValues(bytes, at + 8 + 16 * sub, f(d * (low + 16 * high - 32)), out, to + sub * SIZE);
    }
  },
};
