import { byteSize, type FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

const variants = [{ name: "plain", when: always, spec: { workgroupSize: 64 } }];

/** g[row, col] = scale · ((firstId + col = labels[row]) − e^(logits[row, col] − logSumExp[row])), rounded to `dtype`.  One thread per element. */
export type LogProbsBackwardSpec = { dtype: FloatDtype; workgroupSize: number };

export const logProbsBackwardKernel: Kernel<LogProbsBackwardSpec, "logits" | "logSumExp" | "labels" | "g", "size" | "rowSize" | "firstId" | "scale"> =
  defineKernel<LogProbsBackwardSpec>()({
    name: "logProbsBackward",
    bindings: { logits: read("f32"), logSumExp: read("f32"), labels: read("u32"), g: write("dtype") },
    params: { size: "u32", rowSize: "u32", firstId: "u32", scale: "f32" },
    variants,
    cost: ({ size }, { dtype }) => ({ bytes: (4 + byteSize(dtype)) * size, flops: 3 * size }),
    grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
    examples: [{ dtype: "f32" }, { dtype: "f16" }],
    wgsl: (spec) => wgsl`
      ${computeMain(spec)} {
        let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        if (i >= params.size) { return; }
        let row = i / params.rowSize;
        let isLabel = select(0.0, 1.0, params.firstId + i % params.rowSize == labels[row]);
        g[i] = Dtype(params.scale * (isLabel - exp(logits[i] - logSumExp[row])));
      }`,
  });

/** y[row, col] = scale · factors[row] · x[row, col].  One thread per element. */
export type ScaleRowsSpec = { xType: FloatDtype; workgroupSize: number };

export const scaleRowsKernel: Kernel<ScaleRowsSpec, "x" | "factors" | "y", "size" | "rowSize" | "scale"> = defineKernel<ScaleRowsSpec>()({
  name: "scaleRows",
  bindings: { x: read("xType"), factors: read("f32"), y: write("f32") },
  params: { size: "u32", rowSize: "u32", scale: "f32" },
  variants,
  cost: ({ size }, { xType }) => ({ bytes: (4 + byteSize(xType)) * size, flops: 2 * size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{ xType: "f32" }, { xType: "f16" }],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { y[i] = params.scale * factors[i / params.rowSize] * f32(x[i]); }
    }`,
});
