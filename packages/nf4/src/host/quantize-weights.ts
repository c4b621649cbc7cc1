import { codeOf, nf4Codes, thresholdsOf } from "./code-table.js";
import { roundToWeight, type WeightDtype } from "../weight-dtype.js";

/** Weights of a block, where nobody says otherwise. */
export const defaultBlockSize = 64;

/** A block's scale counts as at least this much when its reciprocal is taken: an all-zero block gets the codes of zero, as on bitsandbytes' CPU backend. */
export const leastScale: number = Math.fround(1e-38);

/** Weights in four bits: two codes a byte, the even element in the high half, and one f32 scale a block. */
export interface QuantizedWeights {
  packed: Uint8Array<ArrayBuffer>;
  absmax: Float32Array<ArrayBuffer>;
}

/**
 * Quantises f32 values (of any `WeightDtype`) block by block over the flat array:
 *
 *   absmax = max |w|,  x = f32(w · f32(1 / absmax)),  code = the number of thresholds that x exceeds
 *
 * The values must be finite. With an odd count the last low half holds the code of zero.
 */
export function quantizeWeights(
  values: Float32Array,
  { blockSize = defaultBlockSize, codes = nf4Codes }: { blockSize?: number; codes?: Float32Array } = {},
): QuantizedWeights {
  const thresholds = thresholdsOf(codes);
  const zero = codeOf(0, thresholds);
  const packed = new Uint8Array(Math.ceil(values.length / 2));
  const absmax = new Float32Array(Math.ceil(values.length / blockSize));
  for (let block = 0; block < absmax.length; block++) {
    const first = block * blockSize;
    const end = Math.min(first + blockSize, values.length);
    let largest = 0;
    for (let i = first; i < end; i++) largest = Math.max(largest, Math.abs(values[i]!));
    absmax[block] = largest;
    const inverse = Math.fround(1 / Math.max(largest, leastScale));
    for (let i = first; i < end; i++) {
      const code = codeOf16(Math.fround(values[i]! * inverse), thresholds);
      packed[i >> 1]! |= i % 2 === 0 ? code << 4 : code;
    }
  }
  if (values.length % 2 === 1) packed[packed.length - 1]! |= zero;
  return { packed, absmax };
}

/** `codeOf` for fifteen ascending thresholds, in four comparisons. */
function codeOf16(x: number, thresholds: Float32Array): number {
  let code = x > thresholds[7]! ? 8 : 0;
  if (x > thresholds[code + 3]!) code += 4;
  if (x > thresholds[code + 1]!) code += 2;
  return x > thresholds[code]! ? code + 1 : code;
}

/** How packed codes are read. */
export interface DequantizeOptions {
  /** Elements. */
  size: number;
  dtype: WeightDtype;
  blockSize?: number | undefined;
  codes?: Float32Array | undefined;
  /** Place in the weight of the first element: `packed` begins with the byte that holds it, `absmax` with the weight. */
  first?: number | undefined;
}

/** w[i] = T(f32(codes[code[i]] · absmax[i / blockSize])): the product in f32, then one rounding to the weight's dtype; as f32 values. */
export function dequantizeWeights(
  { packed, absmax }: { packed: Uint8Array; absmax: Float32Array },
  { size, dtype, blockSize = defaultBlockSize, codes = nf4Codes, first = 0 }: DequantizeOptions,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(size);
  const ofBlock = new Float32Array(16);
  const firstByte = Math.floor(first / 2);
  for (let i = first; i < first + size;) {
    const block = Math.floor(i / blockSize);
    const scale = absmax[block]!;
    for (let code = 0; code < 16; code++) ofBlock[code] = roundToWeight(Math.fround(codes[code]! * scale), dtype);
    const end = Math.min(first + size, (block + 1) * blockSize);
    for (; i < end; i++) {
      const byte = packed[Math.floor(i / 2) - firstByte]!;
      values[i - first] = ofBlock[i % 2 === 0 ? byte >> 4 : byte & 15]!;
    }
  }
  return values;
}
