import { dynamicMap, dynamicMapMidpoints, nearestCode } from "@kto/tensor";

/** Scales in a block of the second quantisation; the format knows no other size. */
export const nestedBlockSize = 256;

/** Scales of a weight, quantised to eight bits: scale[i] = f32(f32(map[codes[i]] · absmax[i / 256]) + offset). */
export interface QuantizedScales {
  /** One a scale. */
  codes: Uint8Array<ArrayBuffer>;
  /** The largest |scale − offset| of each 256, f32. */
  absmax: Float32Array<ArrayBuffer>;
  /** The mean scale, an f32. */
  offset: number;
}

const signedMap = dynamicMap("signed");
const midpoints = dynamicMapMidpoints(signedMap);

/** The map of scales: 256 ascending f32. */
export function nestedCodes(): Float32Array<ArrayBuffer> {
  return signedMap.slice();
}

/** Quantises scales to eight bits: their mean (summed in double) is taken off, then blocks of 256 go to the nearest entries of the signed dynamic map. */
export function quantizeScales(scales: Float32Array): QuantizedScales {
  let sum = 0;
  for (const scale of scales) sum += scale;
  const offset = Math.fround(sum / scales.length);
  const codes = new Uint8Array(scales.length);
  const absmax = new Float32Array(Math.ceil(scales.length / nestedBlockSize));
  for (let block = 0; block < absmax.length; block++) {
    const first = block * nestedBlockSize;
    const end = Math.min(first + nestedBlockSize, scales.length);
    let largest = 0;
    for (let i = first; i < end; i++) largest = Math.max(largest, Math.abs(Math.fround(scales[i]! - offset)));
    absmax[block] = largest;
    const inverse = Math.fround(1 / largest);
    for (let i = first; i < end; i++) codes[i] = nearestCode(midpoints, Math.fround(Math.fround(scales[i]! - offset) * inverse));
  }
  return { codes, absmax, offset };
}

/** The scales again; two roundings each. `map` has 256 entries. */
export function dequantizeScales(
  { codes, absmax, offset }: { codes: Uint8Array; absmax: Float32Array; offset: number },
  map: Float32Array = signedMap,
): Float32Array<ArrayBuffer> {
  return Float32Array.from(codes, (code, i) => Math.fround(map[code]! * absmax[Math.floor(i / nestedBlockSize)]!) + offset);
}
