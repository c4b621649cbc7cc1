import { always, computeMain, defineKernel, oneGroupPer, read, times, wgsl, write, type Kernel } from "@kto/tensor";
import { eightHalves, halfPairs } from "./expand-nf4.wgsl.js";
import { decodeFunctions, type DecodeBinding, type DecodeParam, type DecodeSpec } from "./lib/decode.js";

/**
 * w[c, row, j] = f16 of W[row, 8 c + j]: a four-bit matrix in full, eight of the depth of a product beside one another, as `gemm` takes b `inEights`. A lane has 64
 * weights of a row, which have one scale, and its neighbours have those of the next rows.
 */
export const expandEightsKernel: Kernel<DecodeSpec, DecodeBinding | "w", DecodeParam | "numRows" | "numCols" | "exactFrom" | "exactTo"> =
  defineKernel<DecodeSpec>()({
    name: "expandNf4Eights",
    bindings: { codes: read("vec4<u32>"), absmax: read("u32"), nestedAbsmax: read("f32"), tables: read("f32"), w: write("vec4<u32>") },
    params: { numRows: "u32", numCols: "u32", blockShift: "u32", offset: "f32", zero: "u32", exactFrom: "f32", exactTo: "f32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 256, tablesIn: "workgroup" } }],
    cost: ({ numRows, numCols }, { nested }) => ({ bytes: numRows * numCols * (2.5 + (nested ? 1 : 4) / 64), flops: numRows * numCols }),
    grid: ({ numRows, numCols }, { workgroupSize }) => oneGroupPer(Math.ceil((numRows * numCols) / 64 / workgroupSize)),
    examples: [
      { weightType: "bfloat16", nested: true },
      { weightType: "float32", nested: false },
    ],
    wgsl: (spec) => wgsl`
    ${decodeFunctions(spec)}
    ${halfPairs(spec)}

    ${computeMain(spec)} {
      loadTables(lane);
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.numRows * (params.numCols / 64u)) { return; }
      let row = i % params.numRows;
      let start = row * params.numCols + i / params.numRows * 64u;
      let scale = scaleOf(start >> params.blockShift);
      let first = codes[start / 32u];
      let second = codes[start / 32u + 1u];
      let place = i / params.numRows * 8u * params.numRows + row;
      if (isExact(scale)) {
        ${stores("exactPairBits")}
      } else {
        ${stores("pairBits")}
      }
    }`,
  });

function stores(pair: "pairBits" | "exactPairBits"): string {
  return times(
    8,
    (word) => `w[place + ${word}u * params.numRows] = ${eightHalves(pair, `${word < 4 ? "first" : "second"}[${word % 4}]`)};`,
  );
}
