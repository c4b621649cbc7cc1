import { byteSize, type FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { floatAlias, packedBytes, type Packed } from "./lib/vector.js";
import { wgsl } from "./wgsl.js";

const variants = [{ name: "plain", when: always, spec: { workgroupSize: 64 } }];

/** g[row, col] = scale · ((firstId + col = labels[row]) − e^(logits[row, col] − logSumExp[row])), rounded to `dtype`.  One thread per packed element. */
export type LogProbsBackwardSpec = { logitsType: Packed; dtype: Packed; workgroupSize: number };

export const logProbsBackwardKernel: Kernel<
  LogProbsBackwardSpec,
  "logits" | "logSumExp" | "labels" | "g",
  "count" | "rowCount" | "firstId" | "scale"
> = defineKernel<LogProbsBackwardSpec>()({
  name: "logProbsBackward",
  bindings: { logits: read("logitsType"), logSumExp: read("f32"), labels: read("u32"), g: write("dtype") },
  params: { count: "u32", rowCount: "u32", firstId: "u32", scale: "f32" },
  variants,
  cost: ({ count }, { logitsType, dtype }) => ({ bytes: (packedBytes(logitsType) + packedBytes(dtype)) * count, flops: 3 * count }),
  grid: ({ count }, { workgroupSize }) => oneThreadPer(count, workgroupSize),
  examples: [
    { logitsType: "f32", dtype: "f32" },
    { logitsType: "vec4<f32>", dtype: "vec4<f16>" },
  ],
  wgsl: (spec) => wgsl`
      ${floatAlias(spec.logitsType)}
      ${computeMain(spec)} {
        let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        if (i >= params.count) { return; }
        let row = i / params.rowCount;
        let id = params.firstId + ${spec.logitsType === "vec4<f32>" ? "4u * (i % params.rowCount) + vec4(0u, 1u, 2u, 3u)" : "i % params.rowCount"};
        let isLabel = select(Float(0.0), Float(1.0), id == ${spec.logitsType === "vec4<f32>" ? "vec4(labels[row])" : "labels[row]"});
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
