import { wgsl } from "@kto/tensor";
import { tableOffsets } from "../../tables.js";
import type { WeightDtype } from "../../weight-dtype.js";
import { roundingFunctions } from "./round.js";

/** What every kernel that reads packed codes is specialised on. */
export type DecodeSpec = {
  /** Dtype T that a weight is rounded to. */
  weightType: WeightDtype;
  /** The scales are 8-bit codes themselves. */
  nested: boolean;
  /** Where the tables are read from: a copy in workgroup memory needs a barrier, which software adapters pay dearly for. */
  tablesIn: "workgroup" | "storage";
  workgroupSize: number;
};

/** Bindings of such a kernel, from the tensors of an `Nf4Weight`. */
export type DecodeBinding = "codes" | "absmax" | "nestedAbsmax" | "tables";

/** Parameters of such a kernel. `zero` is 0, which a compiler does not know. */
export type DecodeParam = "blockShift" | "offset" | "zero";

/**
 * `fn scaleOf(block: u32) -> f32`, f32(f32(map[code] · nestedAbsmax) + offset) or the stored scale;
 * `fn weightBits(code: u32, scale: f32) -> u32`, the f32 bits of T(f32(codes[code] · scale)).
 * Where the tables are in workgroup memory, every lane calls `loadTables(lane)` first.
 */
export function decodeFunctions(spec: DecodeSpec): string {
  const size = spec.nested ? 288 : 32;
  const table = (index: string): string => (spec.tablesIn === "workgroup" ? `localTables[${index}]` : `tables[${index}]`);
  return wgsl`
    ${roundingFunctions(spec)}
    ${
      spec.tablesIn === "workgroup"
        ? wgsl`
            var<workgroup> localTables: array<f32, ${size}>;
            fn loadTables(lane: u32) {
              for (var i = lane; i < ${size}u; i += WORKGROUP_SIZE) { localTables[i] = tables[i]; }
              workgroupBarrier();
            }`
        : "fn loadTables(lane: u32) {}"
    }
    ${
      spec.nested
        ? wgsl`
            fn scaleOf(block: u32) -> f32 {
              let code = (absmax[block / 4u] >> (8u * (block % 4u))) & 255u;
              let product = ${table(`${tableOffsets.nested}u + code`)} * nestedAbsmax[block / 256u];
              // Rounded before it is added to: with an unknown zero between them the two cannot become one fused operation.
              return bitcast<f32>(bitcast<u32>(product) ^ params.zero) + params.offset;
            }`
        : "fn scaleOf(block: u32) -> f32 { return bitcast<f32>(absmax[block]); }"
    }
    fn weightBits(code: u32, scale: f32) -> u32 { return roundToWeight(bitcast<u32>(${table("code")} * scale)); }`;
}

/**
 * `fn fourWeights(packed: u32, scale: f32) -> vec4<f32>`: the weights of the low two bytes of a word, as the operand of a product; rounded to f16 too
 * where `halfOperand`.
 */
export function fourWeights({ halfOperand }: { halfOperand: boolean }): string {
  const weight = (shift: number): string => `operand(weightBits((packed >> ${shift}u) & 15u, scale))`;
  return wgsl`
    fn operand(bits: u32) -> f32 { return bitcast<f32>(${halfOperand ? "halfToSingle(halfBits(bits))" : "bits"}); }
    fn fourWeights(packed: u32, scale: f32) -> vec4<f32> {
      return vec4<f32>(${weight(4)}, ${weight(0)}, ${weight(12)}, ${weight(8)});
    }`;
}
