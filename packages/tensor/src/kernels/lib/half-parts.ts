import { wgsl } from "../wgsl.js";

/**
 * `fn halfParts(v: mat2x4<f32>, isLow: bool) -> vec4<u32>`: eight f32 as the first or the second of two f16 each, 11 significant bits a part; `fn largestOf(v)`,
 * of their magnitudes. Needs `packEight`. The first part is cut off by a mask, since x − f32(f16(x)) comes out as 0 with a compiler that drops the round trip
 * (H200, driver 580). What is above 65,504 becomes that and up to as much again.
 */
export const halfParts: string = wgsl`
  fn inRange(v: vec4<f32>) -> vec4<f32> { return clamp(v, vec4<f32>(-65504.0), vec4<f32>(65504.0)); }
  fn halfPart(v: vec4<f32>, isLow: bool) -> vec4<f32> {
    let high = bitcast<vec4<f32>>(bitcast<vec4<u32>>(inRange(v)) & vec4<u32>(0xffffe000u));
    return select(high, inRange(v - high), isLow);
  }
  fn halfParts(v: mat2x4<f32>, isLow: bool) -> vec4<u32> { return packEight(halfPart(v[0], isLow), halfPart(v[1], isLow)); }
  fn largestOf(v: mat2x4<f32>) -> f32 {
    let m = max(abs(v[0]), abs(v[1]));
    return max(max(m.x, m.y), max(m.z, m.w));
  }`;

/** Defines `toRange`, a power of two that brings values up to `largest` below 2¹⁵, and `fromRange`, its inverse; their names end as `suffix` says. */
export function rangeOf(largest: string, suffix = ""): string {
  return wgsl`
    let exponent${suffix} = max(bitcast<u32>(${largest}) >> 23u, 30u);
    let toRange${suffix} = bitcast<f32>((268u - exponent${suffix}) << 23u);
    let fromRange${suffix} = bitcast<f32>((exponent${suffix} - 14u) << 23u);`;
}

/** What weights of adapters are multiplied by before they become two f16: 1e-7 keeps ten digits, and the largest of all is 511. */
export const factorScale: number = 2 ** 8;
