import { always, computeMain, defineKernel, oneGroupPer, read, times, wgsl, write, type Kernel } from "@kto/tensor";
import { decodeFunctions, type DecodeBinding, type DecodeParam, type DecodeSpec } from "./lib/decode.js";

/**
 * w[i] = f16 or f32 of T(f32(codes[code_i] · scale of block i / blockSize)): a four-bit matrix in full. `plain`: a thread writes one word of w, in any
 * order of rows; `vector`: a thread has words of eight codes and writes 16 bytes at a time, for matrices of 8 · count elements that are not transposed.
 */
export type ExpandSpec = DecodeSpec & {
  /** f16, two to a word; else f32. Bits in u32, so that devices without f16 can have it. */
  half: boolean;
  /** The codes are those of the transposed matrix. */
  transposed: boolean;
  /** A multiple of 8 elements, not transposed. */
  aligned: boolean;
  method: "vector" | "plain";
  element: string;
  wordsPerLane: number;
};

export const expandKernel: Kernel<ExpandSpec, DecodeBinding | "w", DecodeParam | "size" | "numCols" | "exactFrom" | "exactTo"> =
  defineKernel<ExpandSpec>()({
    name: "expandNf4",
    bindings: { codes: read("u32"), absmax: read("u32"), nestedAbsmax: read("f32"), tables: read("f32"), w: write("element") },
    params: { size: "u32", numCols: "u32", blockShift: "u32", offset: "f32", zero: "u32", exactFrom: "f32", exactTo: "f32" },
    variants: [
      {
        name: "vector",
        when: ({ software }, { aligned }) => !software && aligned,
        spec: { method: "vector", element: "vec4<u32>", workgroupSize: 256, wordsPerLane: 4, tablesIn: "workgroup" },
      },
      { name: "plain", when: always, spec: { method: "plain", element: "u32", workgroupSize: 64, wordsPerLane: 1, tablesIn: "storage" } },
    ],
    cost: ({ size }, { half, nested }) => ({ bytes: size * ((half ? 2 : 4) + 0.5 + (nested ? 1 : 4) / 64), flops: size }),
    grid: ({ size }, { method, half, workgroupSize, wordsPerLane }) =>
      oneGroupPer(Math.ceil(size / (method === "vector" ? 8 : half ? 2 : 1) / (workgroupSize * wordsPerLane))),
    examples: [
      { weightType: "bfloat16", nested: true, half: true, transposed: false, aligned: true },
      { weightType: "float16", nested: false, half: false, transposed: false, aligned: true },
      { weightType: "float32", nested: true, half: false, transposed: false, aligned: true },
    ],
    wgsl: (spec) => (spec.method === "vector" ? vectorBody(spec) : plainBody(spec)),
  });

function plainBody(spec: ExpandSpec): string {
  return wgsl`
    ${decodeFunctions(spec)}
    fn elementBits(index: u32) -> u32 {
      let place = ${spec.transposed ? "index % params.numCols * (params.size / params.numCols) + index / params.numCols" : "index"};
      let code = (codes[place / 8u] >> ((4u * (place % 8u)) ^ 4u)) & 15u;
      return weightBits(code, scaleOf(place >> params.blockShift));
    }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      ${
        spec.half
          ? wgsl`
              if (2u * i >= params.size) { return; }
              let high = select(0u, halfBits(elementBits(min(2u * i + 1u, params.size - 1u))), 2u * i + 1u < params.size);
              w[i] = halfBits(elementBits(2u * i)) | (high << 16u);`
          : "if (i < params.size) { w[i] = elementBits(i); }"
      }
    }`;
}

/** Byte j of a word of codes has elements 2j, in its high half, and 2j + 1. */
function vectorBody(spec: ExpandSpec): string {
  const both = (j: number): string => `weightBits((packed >> ${8 * j + 4}u) & 15u, scale), weightBits((packed >> ${8 * j}u) & 15u, scale)`;
  const store = spec.half
    ? wgsl`
        if (isExact(scale)) { w[i] = ${eightHalves("exactPairBits", "packed")}; } else { w[i] = ${eightHalves("pairBits", "packed")}; }`
    : wgsl`
        w[2u * i] = vec4<u32>(${both(0)}, ${both(1)});
        w[2u * i + 1u] = vec4<u32>(${both(2)}, ${both(3)});`;
  return wgsl`
    ${decodeFunctions(spec)}
    ${spec.half ? halfPairs(spec) : ""}
    fn expandWord(i: u32) {
      let packed = codes[i];
      let scale = scaleOf(i >> (params.blockShift - 3u));
      ${store}
    }

    ${computeMain(spec)} {
      loadTables(lane);
      let first = foldedIndex(group, groups) * WORKGROUP_SIZE * WORDS_PER_LANE + lane;
      let words = params.size / 8u;
      ${times(spec.wordsPerLane, (j) => `if (first + ${j * spec.workgroupSize}u < words) { expandWord(first + ${j * spec.workgroupSize}u); }`)}
    }`;
}

/** The eight weights of a word, in order. */
export function eightHalves(pair: "pairBits" | "exactPairBits", word: string): string {
  return `vec4<u32>(${[0, 8, 16, 24].map((shift) => `${pair}(${word} >> ${shift}u, scale)`).join(", ")})`;
}

/**
 * `fn pairBits(byte: u32, scale: f32) -> u32`, two neighbours as f16; `fn isExact(scale: f32) -> bool`, whether `exactPairBits` gives the same sooner. Where T is bf16 and every weight of a block but 0 lies between 2⁻¹⁴ and 2¹⁵, f16 holds its eight digits exactly, so that the
 * built-in conversion has nothing to round. That is so for scales from `exactFrom` to `exactTo`; a NaN is in no range.
 */
export function halfPairs(spec: Pick<DecodeSpec, "weightType">): string {
  const fast = spec.weightType === "bfloat16";
  const value = (shift: number): string => `bitcast<f32>(roundFinite(bitcast<u32>(localTables[(byte >> ${shift}u) & 15u] * scale)))`;
  return wgsl`
    fn pairBits(byte: u32, scale: f32) -> u32 {
      return halfBits(weightBits((byte >> 4u) & 15u, scale)) | (halfBits(weightBits(byte & 15u, scale)) << 16u);
    }
    fn roundFinite(bits: u32) -> u32 { return (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u; }
    fn exactPairBits(byte: u32, scale: f32) -> u32 { return ${fast ? `pack2x16float(vec2<f32>(${value(4)}, ${value(0)}))` : "pairBits(byte, scale)"}; }
    fn isExact(scale: f32) -> bool { return ${fast ? "scale >= params.exactFrom && scale <= params.exactTo" : "true"}; }`;
}
