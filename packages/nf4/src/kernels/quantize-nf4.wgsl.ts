import { always, computeMain, defineKernel, oneThreadPer, read, wgsl, write, type Kernel } from "@kto/tensor";
import { tableOffsets } from "../tables.js";
import type { WeightDtype } from "../weight-dtype.js";
import { roundingFunctions } from "./lib/round.js";

/**
 * By blocks of weights w:  absmax = max |w|,  x = f32(w · f32(1 / max(absmax, 1e-38))),  code = the number of thresholds that x exceeds, eight codes a word.
 * WGSL's division may be off by some ulp and its small numbers may count as 0, so all but that one product is done in integers. The absmax of a block that
 * holds a NaN or an infinity is a NaN with the place of the first of them in its low bits.  One thread a block.
 */
export type QuantizeSpec = {
  /** What the source holds. */
  sourceType: WeightDtype;
  /** What its values are rounded to first. */
  weightType: WeightDtype;
  workgroupSize: number;
};

export const quantizeKernel: Kernel<QuantizeSpec, "source" | "tables" | "codes" | "absmax", "size" | "blockShift" | "firstBlock"> =
  defineKernel<QuantizeSpec>()({
    name: "quantizeNf4",
    bindings: { source: read("u32"), tables: read("f32"), codes: write("u32"), absmax: write("u32") },
    params: { size: "u32", blockShift: "u32", firstBlock: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
    cost: ({ size }, { sourceType }) => ({ bytes: size * ((sourceType === "float32" ? 4 : 2) + 0.5 + 4 / 64), flops: size }),
    grid: ({ size, blockShift }, { workgroupSize }) => oneThreadPer(Math.ceil(size / 2 ** blockShift), workgroupSize),
    examples: [
      { sourceType: "bfloat16", weightType: "bfloat16" },
      { sourceType: "float16", weightType: "float16" },
      { sourceType: "float32", weightType: "bfloat16" },
    ],
    wgsl: (spec) => wgsl`
    ${roundingFunctions(spec)}
    ${sourceBits[spec.sourceType]}
    fn bitsAt(index: u32) -> u32 { return ${spec.sourceType === spec.weightType ? "sourceBits(index)" : "roundToWeight(sourceBits(index))"}; }

    /** 1 / value as factor · 2^exponent, rounded as an f32 is. */
    struct Inverse { factor: f32, exponent: i32 }

    /** Of an f32 that is positive and finite: value = significand · 2^(exponent − 150), so 1 / value = (2⁴⁷ / significand) · 2^(103 − exponent). */
    fn inverseOf(bits: u32) -> Inverse {
      let exponent = bits >> 23u;
      let significand = select((bits & 0x7fffffu) | 0x800000u, bits << 1u, exponent == 0u);
      // A reciprocal below 2⁻¹²⁶ has fewer digits.
      let dropped = select(0u, exponent - 252u, exponent > 252u);
      var rest = 0x800000u;
      var quotient = 0u;
      if (rest >= significand) {
        quotient = 1u;
        rest -= significand;
      }
      for (var digit = dropped; digit < 24u; digit++) {
        rest <<= 1u;
        quotient <<= 1u;
        if (rest >= significand) {
          quotient |= 1u;
          rest -= significand;
        }
      }
      if (2u * rest > significand || (2u * rest == significand && (quotient & 1u) == 1u)) { quotient++; }
      return Inverse(f32(quotient), 103 - i32(exponent) + i32(dropped));
    }

    /** value · 2^exponent, 0 where that is too small to matter. */
    fn scaled(bits: u32, exponent: i32) -> f32 {
      let isSmall = (bits & 0x7f800000u) == 0u;
      let size = select(bits & 0x7fffffffu, bitcast<u32>(f32(bits & 0x7fffffu)), isSmall);
      let newExponent = i32(size >> 23u) + exponent - select(0, 149, isSmall);
      if (size == 0u || newExponent <= 0) { return 0.0; }
      return bitcast<f32>((bits & 0x80000000u) | (u32(newExponent) << 23u) | (size & 0x7fffffu));
    }

    fn codeOf(x: f32) -> u32 {
      var code = 0u;
      for (var step = 8u; step > 0u; step >>= 1u) {
        if (x > tables[${tableOffsets.thresholds - 1}u + code + step]) { code += step; }
      }
      return code;
    }

    ${computeMain(spec)} {
      let block = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      let first = block << params.blockShift;
      if (first >= params.size) { return; }
      let end = min(first + (1u << params.blockShift), params.size);
      var largest = 0u;
      for (var i = first; i < end; i++) {
        let size = bitsAt(i) & 0x7fffffffu;
        if (size >= 0x7f800000u) {
          absmax[params.firstBlock + block] = 0x7fc00000u | (i - first);
          return;
        }
        largest = max(largest, size);
      }
      absmax[params.firstBlock + block] = largest;
      let inverse = inverseOf(max(largest, 0x006ce3eeu)); // 1e-38
      let firstWord = params.firstBlock << (params.blockShift - 3u);
      for (var word = first / 8u; 8u * word < end; word++) {
        var packed = 0u;
        for (var i = 0u; i < 8u; i++) {
          let index = 8u * word + i;
          var x = 0.0;
          if (index < end) { x = inverse.factor * scaled(bitsAt(index), inverse.exponent); }
          packed |= codeOf(x) << ((4u * i) ^ 4u);
        }
        codes[firstWord + word] = packed;
      }
    }`,
  });

/** `fn sourceBits(index: u32) -> u32`: the f32 bits of an element. */
const sourceBits: Record<WeightDtype, string> = {
  float32: "fn sourceBits(index: u32) -> u32 { return source[index]; }",
  bfloat16: "fn sourceBits(index: u32) -> u32 { return (source[index / 2u] >> (16u * (index % 2u))) << 16u; }",
  float16: "fn sourceBits(index: u32) -> u32 { return halfToSingle((source[index / 2u] >> (16u * (index % 2u))) & 0xffffu); }",
};
