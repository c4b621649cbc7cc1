import { wgsl } from "@kto/tensor";
import type { WeightDtype } from "../../weight-dtype.js";

/**
 * Rounding on the bits of an f32, to nearest even, in integers, because WGSL leaves the direction of a conversion open:
 * `fn roundToWeight(bits: u32) -> u32` gives the f32 bits of T(value), T the dtype of the weight;
 * `fn halfBits(bits: u32) -> u32` the bits of f16(value); `fn halfToSingle(half: u32) -> u32` the way back, which is exact.
 */
export function roundingFunctions({ weightType }: { weightType: WeightDtype }): string {
  return wgsl`
    fn isNan(bits: u32) -> bool { return (bits & 0x7fffffffu) > 0x7f800000u; }
    // Drops \`count\` bits, at least one, of what lies above them.
    fn dropBits(bits: u32, count: u32) -> u32 { return (bits + (1u << (count - 1u)) - 1u + ((bits >> count) & 1u)) >> count; }
    fn halfBits(bits: u32) -> u32 {
      let size = bits & 0x7fffffffu;
      // Below 2⁻¹⁴ an f16 counts in steps of 2⁻²⁴.
      let small = dropBits((size & 0x7fffffu) | 0x800000u, clamp(126u - min(size >> 23u, 125u), 1u, 25u));
      let half = select(dropBits(size - 0x38000000u, 13u), small, size < 0x38800000u);
      let bounded = select(half, 0x7c00u, size >= 0x477ff000u);
      return ((bits >> 16u) & 0x8000u) | select(bounded, 0x7e00u, isNan(bits));
    }
    ${halfToSingle()}
    ${roundToWeight[weightType]}`;
}

const roundToWeight: Record<WeightDtype, string> = {
  float32: "fn roundToWeight(bits: u32) -> u32 { return bits; }",
  bfloat16: wgsl`
    fn roundToWeight(bits: u32) -> u32 {
      return select((bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u, 0x7fc00000u, isNan(bits));
    }`,
  float16: "fn roundToWeight(bits: u32) -> u32 { return halfToSingle(halfBits(bits)); }",
};

function halfToSingle(): string {
  return wgsl`
    fn halfToSingle(half: u32) -> u32 {
      let sign = (half & 0x8000u) << 16u;
      let size = half & 0x7fffu;
      // As an integer an f16 below 2⁻¹⁴ is its multiple of 2⁻²⁴, and the smallest of those is a normal f32.
      let small = bitcast<u32>(f32(size)) - (24u << 23u);
      let normal = (size << 13u) + 0x38000000u;
      let special = (size << 13u) | 0x7f800000u;
      return sign | select(select(normal, special, size >= 0x7c00u), select(small, 0u, size == 0u), size < 0x400u);
    }`;
}
