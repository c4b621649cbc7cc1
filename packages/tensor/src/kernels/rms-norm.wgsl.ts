import { byteSize, type FloatDtype } from "../dtype.js";
import { defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { blockedSum } from "./lib/blocked-sum.js";
import { computeMain } from "./lib/grid.js";
import { reduceEnables, reduceSum, type Reduce } from "./lib/reduce.js";
import { rowVariants } from "./lib/row-variants.js";
import { rowGrid, rowHead } from "./lib/rows.js";
import { wgsl } from "./wgsl.js";

/** y[row, col] = x[row, col] · rstd[row] · weight[col],  rstd[row] = 1 / sqrt(mean over col of x² + eps).  A workgroup, or a lane, per row; sums in f32. */
export type RmsNormSpec = { xType: FloatDtype; dtype: FloatDtype; workgroupSize: number; rowPerLane: boolean; reduce: Reduce };

export const rmsNormKernel: Kernel<RmsNormSpec, "x" | "weight" | "y" | "rstd", "numRows" | "rowSize" | "eps"> = defineKernel<RmsNormSpec>()(
  {
    name: "rmsNorm",
    bindings: { x: read("xType"), weight: read("f32"), y: write("dtype"), rstd: write("f32") },
    params: { numRows: "u32", rowSize: "u32", eps: "f32" },
    variants: rowVariants<RmsNormSpec>(),
    cost: ({ numRows, rowSize }, { xType, dtype }) => ({
      bytes: (byteSize(xType) + byteSize(dtype)) * numRows * rowSize,
      flops: 4 * numRows * rowSize,
    }),
    grid: ({ numRows }, spec) => rowGrid(numRows, spec),
    enables: reduceEnables,
    examples: [
      { xType: "f32", dtype: "f32" },
      { xType: "f32", dtype: "f16" },
    ],
    wgsl: (spec) => wgsl`
    ${reduceSum(spec)}

    ${computeMain(spec)} {
      ${rowHead(spec)}
      let base = row * params.rowSize;
      ${blockedSum({ sums: { sumSquares: "value * value" }, index: "col", from: "firstCol", to: "params.rowSize", step: "colStep", before: "let value = f32(x[base + col]);" })}
      let scale = inverseSqrt(reduceSum(sumSquares, lane) / f32(params.rowSize) + params.eps);
      if (firstCol == 0u) { rstd[row] = scale; }
      for (var col = firstCol; col < params.rowSize; col += colStep) {
        y[base + col] = Dtype(f32(x[base + col]) * scale * weight[col]);
      }
    }`,
  },
);
