import type { FloatDtype } from "../dtype.js";
import { defineKernel, type Kernel } from "./define-kernel.js";
import { plainResult } from "./lib/few-rows-result.js";
import {
  fewRowsBindings,
  fewRowsBody,
  fewRowsEnables,
  fewRowsGrid,
  fewRowsParameters,
  fewRowsUnused,
  fewRowsVariants,
  type FewRowsSpec,
  type FewRowsWeights,
} from "./lib/few-rows.js";
import { wgsl } from "./wgsl.js";

/**
 * Up to three matrices times the same few rows, as they are stored, [n, k]: y[row, col] = scale[row] · sum over k of x[row, k] · norm[k] · W[col, k]
 * (+ bias[col]) (+ low-rank update) (+ addend[row, col]), with scale = 1 / sqrt(mean of x² + eps) where there is a norm. With `swiGlu` two matrices, gate and
 * up, and y = silu(gate) · up. Sums in f32, rounded once. How it is shared out is in lib/few-rows.ts.
 */
export type FewRowsMatrixSpec = FewRowsSpec & {
  /** As the weight is bound: four numbers, or eight of f16 as bits. */
  weightElement: "vec4<f32>" | "vec4<u32>";
};

export const fewRowsKernel: Kernel<FewRowsMatrixSpec, keyof typeof fewRowsBindings, keyof typeof fewRowsParameters> =
  defineKernel<FewRowsMatrixSpec>()({
    name: "fewRows",
    bindings: fewRowsBindings,
    unused: fewRowsUnused,
    params: fewRowsParameters,
    variants: fewRowsVariants,
    cost: ({ m, k, n }, { weightElement, rows, swiGlu }) => {
      const columns = swiGlu ? 2 * n : n;
      return { bytes: Math.ceil(m / rows) * (weightElement === "vec4<u32>" ? 2 : 4) * k * columns, flops: 2 * m * k * columns };
    },
    grid: fewRowsGrid,
    enables: fewRowsEnables,
    examples: [
      example("f32", "f32", { dtype: "f32", hasNorm: true, hasBias: true }),
      example("f32", "f16", { dtype: "f16", hasNorm: true, swiGlu: true, rows: 2 }),
      example("f16", "f16", { dtype: "f32", hasAddend: true, ...adapted(16, 16), aheadRanks: 32, hasAheadNorm: true }),
      example("f32", "f16", { dtype: "f16", hasNorm: true, swiGlu: true, isUpdateNormed: false, ...adapted(32, 16), aheadRanks: 16 }),
      example("f32", "f32", { dtype: "f32", hasNorm: true, rows: 2, ...adapted(520, 512), aheadRanks: 600, hasAheadNorm: true }),
    ],
    wgsl: (spec) => fewRowsBody(spec, spec.weightElement === "vec4<u32>" ? halves : singles),
  });

const halves: FewRowsWeights = {
  functions: "",
  prepare: "",
  declare: "var raw@c: vec4<u32>;",
  fetch: "raw@c = weight[start@c / 8u + next];",
  decode: wgsl`
    let w@c_0 = vec4<f32>(unpack2x16float(raw@c.x), unpack2x16float(raw@c.y));
    let w@c_1 = vec4<f32>(unpack2x16float(raw@c.z), unpack2x16float(raw@c.w));`,
};

const singles: FewRowsWeights = {
  functions: "",
  prepare: "",
  declare: "var raw@c: array<vec4<f32>, 2>;",
  fetch: "raw@c = array<vec4<f32>, 2>(weight[start@c / 4u + 2u * next], weight[start@c / 4u + 2u * next + 1u]);",
  decode: wgsl`
    let w@c_0 = raw@c[0];
    let w@c_1 = raw@c[1];`,
};

function example(xType: FloatDtype, weightType: FloatDtype, given: Partial<FewRowsMatrixSpec>): Partial<FewRowsMatrixSpec> {
  const element = (type: FloatDtype): "vec4<f32>" | "vec4<u32>" => (type === "f16" ? "vec4<u32>" : "vec4<f32>");
  const types = { xElement: element(xType), weightElement: element(weightType) };
  return { ...plainResult, rows: 1, depthWays: 2, updateRanks: 0, mostRanks: 0, partLoads: 0, ...types, ...given };
}

function adapted(updateRanks: number, mostRanks: number): Partial<FewRowsMatrixSpec> {
  return { hasLowRank: true, updateRanks, mostRanks, partLoads: 3 };
}
