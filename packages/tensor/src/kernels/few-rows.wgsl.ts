import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { fewRowsBody, fewRowsColumns, fewRowsEnables, type FewRowsSpec } from "./lib/few-rows.js";
import { oneGroupPer } from "./lib/grid.js";
import { unroll } from "./lib/unroll.js";
import { wgsl } from "./wgsl.js";

/**
 * Up to three matrices times the same few rows, as they are stored, [n, k]: y[row, col] = scale[row] · sum over k of x[row, k] · norm[k] · W[col, k]
 * (+ bias[col]) (+ low-rank update) (+ addend[row, col]), with scale = 1 / sqrt(mean of x² + eps) where there is a norm. With `swiGlu` two matrices, gate and
 * up, and y = silu(gate) · up. Sums in f32, rounded once. How it is shared out is in lib/few-rows.ts.
 */
export type FewRowsMatrixSpec = FewRowsSpec & { weightType: FloatDtype };

export const fewRowsKernel: Kernel<
  FewRowsMatrixSpec,
  "x" | "norm" | "weight" | "bias" | "addend" | "h" | "b" | "y",
  | "m"
  | "k"
  | "n"
  | "end0"
  | "end1"
  | "weight0"
  | "weight1"
  | "weight2"
  | "bias0"
  | "bias1"
  | "bias2"
  | "rank0"
  | "rank1"
  | "rank2"
  | "b0"
  | "b1"
  | "b2"
  | "eps"
  | "scale0"
  | "scale1"
  | "scale2"
> = defineKernel<FewRowsMatrixSpec>()({
  name: "fewRows",
  bindings: {
    x: read("xElement"),
    norm: read("vec4<f32>"),
    weight: read("weightElement"),
    bias: read("f32"),
    addend: read("f32"),
    h: read("f32"),
    b: read("f32"),
    y: write("dtype"),
  },
  params: {
    m: "u32",
    k: "u32",
    n: "u32",
    end0: "u32",
    end1: "u32",
    weight0: "u32",
    weight1: "u32",
    weight2: "u32",
    bias0: "u32",
    bias1: "u32",
    bias2: "u32",
    rank0: "u32",
    rank1: "u32",
    rank2: "u32",
    b0: "u32",
    b1: "u32",
    b2: "u32",
    eps: "f32",
    scale0: "f32",
    scale1: "f32",
    scale2: "f32",
  },
  variants: [
    {
      name: "subgroup",
      when: ({ software, subgroups, subgroupMinSize, subgroupMaxSize }) =>
        !software && subgroups && subgroupMinSize === 32 && subgroupMaxSize === 32,
      spec: { workgroupSize: 256, width: 32, reduce: "subgroup" },
    },
    { name: "plain", when: ({ software }) => !software, spec: { workgroupSize: 128, width: 16, reduce: "plain" } },
    { name: "serial", when: always, spec: { workgroupSize: 16, width: 1, reduce: "plain" } },
  ],
  cost: ({ m, k, n }, { weightType, rows, swiGlu }) => {
    const columns = swiGlu ? 2 * n : n;
    return { bytes: Math.ceil(m / rows) * (weightType === "f16" ? 2 : 4) * k * columns, flops: 2 * m * k * columns };
  },
  grid: ({ m, n }, spec) => {
    const perGroup = (spec.workgroupSize / spec.width / spec.depthWays) * fewRowsColumns;
    return oneGroupPer(Math.ceil((spec.swiGlu ? 2 * n : n) / perGroup) * Math.ceil(m / spec.rows));
  },
  enables: fewRowsEnables,
  examples: [
    example({
      xType: "f32",
      xElement: "vec4<f32>",
      weightType: "f32",
      weightElement: "vec4<f32>",
      dtype: "f32",
      hasNorm: true,
      hasBias: true,
    }),
    example({
      xType: "f32",
      xElement: "vec4<f32>",
      weightType: "f16",
      weightElement: "vec4<u32>",
      dtype: "f16",
      hasNorm: true,
      swiGlu: true,
      rows: 2,
    }),
    example({
      xType: "f16",
      xElement: "vec4<u32>",
      weightType: "f16",
      weightElement: "vec4<u32>",
      dtype: "f32",
      hasAddend: true,
      hasLowRank: true,
    }),
  ],
  wgsl: (spec) => {
    const isHalf = spec.weightType === "f16";
    // Eight weights of column @c: w@c_0 and w@c_1.
    const load = isHalf
      ? wgsl`
          let bits@c = weight[start@c / 8u + at];
          let w@c_0 = vec4<f32>(unpack2x16float(bits@c.x), unpack2x16float(bits@c.y));
          let w@c_1 = vec4<f32>(unpack2x16float(bits@c.z), unpack2x16float(bits@c.w));`
      : wgsl`
          let w@c_0 = weight[start@c / 4u + 2u * at];
          let w@c_1 = weight[start@c / 4u + 2u * at + 1u];`;
    const add = unroll(spec.rows, "sum@r_@c += dot(x@r_0, w@c_0) + dot(x@r_1, w@c_1);", "@r");
    return fewRowsBody(spec, { functions: "", prepare: "", step: unroll(fewRowsColumns, `${load}\n${add}`, "@c") });
  },
});

function example(given: Partial<FewRowsMatrixSpec>): Partial<FewRowsMatrixSpec> {
  return { hasNorm: false, hasBias: false, hasAddend: false, hasLowRank: false, swiGlu: false, rows: 1, depthWays: 2, ...given };
}
