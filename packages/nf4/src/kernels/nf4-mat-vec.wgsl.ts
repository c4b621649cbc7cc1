import {
  always,
  computeMain,
  defineKernel,
  oneGroupPer,
  oneThreadPer,
  read,
  reduceEnables,
  reduceSum,
  unroll,
  wgsl,
  write,
} from "@kto/tensor";
import type { FloatDtype, Kernel, Reduce } from "@kto/tensor";
import { decodeFunctions, fourWeights, type DecodeBinding, type DecodeParam, type DecodeSpec } from "./lib/decode.js";

/**
 * y[row, n] = sum over k of x[row, k] · W[n, k] [+ bias[n]] for few rows, straight from the codes of W [n, k], k a multiple of 8. Sums in f32, rounded
 * once to `dtype`.  A workgroup (serial: a thread) has one n and `rows` rows.
 */
export type MatVecSpec = DecodeSpec & {
  xType: FloatDtype;
  dtype: FloatDtype;
  hasBias: boolean;
  /** Weights are rounded to f16 as well, as they are for a product of f16 operands. */
  halfOperand: boolean;
  rows: 1 | 2 | 4;
  reduce: Reduce;
};

export const matVecKernel: Kernel<MatVecSpec, DecodeBinding | "x" | "bias" | "y", DecodeParam | "m" | "n" | "k"> =
  defineKernel<MatVecSpec>()({
    name: "nf4MatVec",
    bindings: {
      x: read("vec4<xType>"),
      codes: read("u32"),
      absmax: read("u32"),
      nestedAbsmax: read("f32"),
      tables: read("f32"),
      bias: read("f32"),
      y: write("dtype"),
    },
    params: { m: "u32", n: "u32", k: "u32", blockShift: "u32", offset: "f32", zero: "u32" },
    variants: [
      {
        name: "subgroup",
        when: ({ software, subgroups }) => !software && subgroups,
        spec: { workgroupSize: 64, reduce: "subgroup", tablesIn: "workgroup" },
      },
      { name: "workgroup", when: ({ software }) => !software, spec: { workgroupSize: 64, reduce: "plain", tablesIn: "workgroup" } },
      { name: "plain", when: always, spec: { workgroupSize: 64, reduce: "serial", tablesIn: "storage" } },
    ],
    cost: ({ m, n, k }, { rows }) => ({ bytes: Math.ceil(m / rows) * 0.5 * n * k, flops: 2 * m * n * k }),
    grid: ({ m, n }, { reduce, rows, workgroupSize }) => {
      const [x, y] = reduce === "serial" ? oneThreadPer(n, workgroupSize) : oneGroupPer(n);
      return [x, y, Math.ceil(m / rows)];
    },
    enables: reduceEnables,
    examples: [
      { weightType: "bfloat16", nested: true, xType: "f16", dtype: "f16", hasBias: true, halfOperand: true, rows: 4 },
      { weightType: "float32", nested: false, xType: "f32", dtype: "f32", hasBias: false, halfOperand: false, rows: 1 },
    ],
    wgsl: (spec) => wgsl`
      ${decodeFunctions(spec)}
      ${fourWeights(spec)}
      ${reduceSum(spec)}

      ${computeMain(spec)} {
        loadTables(lane);
        let col = foldedIndex(group, groups)${spec.reduce === "serial" ? " * WORKGROUP_SIZE + lane" : ""};
        if (col >= params.n) { return; }
        let words = params.k / 8u;
        ${unroll(spec.rows, "let row@i = min(group.z * ROWS + @iu, params.m - 1u);")}
        ${unroll(spec.rows, "var sum@i = 0.0;")}
        for (var word = ${spec.reduce === "serial" ? "0u; word < words; word++" : "lane; word < words; word += WORKGROUP_SIZE"}) {
          let place = col * words + word;
          let packed = codes[place];
          let scale = scaleOf(place >> (params.blockShift - 3u));
          let low = fourWeights(packed, scale);
          let high = fourWeights(packed >> 16u, scale);
          ${unroll(spec.rows, "sum@i += dot(vec4<f32>(x[2u * (row@i * words + word)]), low) + dot(vec4<f32>(x[2u * (row@i * words + word) + 1u]), high);")}
        }
        ${unroll(
          spec.rows,
          wgsl`
            let total@i = reduceSum(sum@i, lane)${spec.hasBias ? " + bias[col]" : ""};
            if (${spec.reduce === "serial" ? "" : "lane == 0u && "}group.z * ROWS + @iu < params.m) { y[row@i * params.n + col] = Dtype(total@i); }`,
        )}
      }`,
  });
