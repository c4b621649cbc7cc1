import { byteSize, type FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { blockedSum } from "./lib/blocked-sum.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { reduceEnables, reduceSum, type Reduce } from "./lib/reduce.js";
import { rowVariants } from "./lib/row-variants.js";
import { rowGrid, rowHead } from "./lib/rows.js";
import { wgsl } from "./wgsl.js";

/** dx[row, col] = rstd · (dy · weight − x · rstd² · mean over col of dy · weight · x).  A workgroup, or a lane, per row. */
export type RmsNormBackwardSpec = { xType: FloatDtype; workgroupSize: number; rowPerLane: boolean; reduce: Reduce };

export const rmsNormBackwardKernel: Kernel<RmsNormBackwardSpec, "x" | "weight" | "rstd" | "dy" | "dx", "numRows" | "rowSize"> =
  defineKernel<RmsNormBackwardSpec>()({
    name: "rmsNormBackward",
    bindings: { x: read("xType"), weight: read("f32"), rstd: read("f32"), dy: read("f32"), dx: write("f32") },
    params: { numRows: "u32", rowSize: "u32" },
    variants: rowVariants<RmsNormBackwardSpec>(),
    cost: ({ numRows, rowSize }, { xType }) => ({ bytes: (8 + byteSize(xType)) * numRows * rowSize, flops: 7 * numRows * rowSize }),
    grid: ({ numRows }, spec) => rowGrid(numRows, spec),
    enables: reduceEnables,
    examples: [{ xType: "f32" }, { xType: "f16" }],
    wgsl: (spec) => wgsl`
    ${reduceSum(spec)}

    ${computeMain(spec)} {
      ${rowHead(spec)}
      let base = row * params.rowSize;
      ${blockedSum({ sums: { dot: "dy[base + col] * weight[col] * f32(x[base + col])" }, index: "col", from: "firstCol", to: "params.rowSize", step: "colStep" })}
      let scale = rstd[row];
      let pull = scale * scale * reduceSum(dot, lane) / f32(params.rowSize);
      for (var col = firstCol; col < params.rowSize; col += colStep) {
        dx[base + col] = scale * (dy[base + col] * weight[col] - f32(x[base + col]) * pull);
      }
    }`,
  });

/** part[block, col] = sum over the rows of a block of dy · x · rstd: the first of two stages of dWeight.  One thread per block and column. */
export type RmsNormWeightBackwardSpec = { xType: FloatDtype; workgroupSize: number };

export const rmsNormWeightBackwardKernel: Kernel<
  RmsNormWeightBackwardSpec,
  "x" | "rstd" | "dy" | "part",
  "numRows" | "rowSize" | "blockRows"
> = defineKernel<RmsNormWeightBackwardSpec>()({
  name: "rmsNormWeightBackward",
  bindings: { x: read("xType"), rstd: read("f32"), dy: read("f32"), part: write("f32") },
  params: { numRows: "u32", rowSize: "u32", blockRows: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ numRows, rowSize }, { xType }) => ({ bytes: (4 + byteSize(xType)) * numRows * rowSize, flops: 3 * numRows * rowSize }),
  grid: ({ numRows, rowSize, blockRows }, { workgroupSize }) => oneThreadPer(Math.ceil(numRows / blockRows) * rowSize, workgroupSize),
  examples: [{ xType: "f32" }, { xType: "f16" }],
  wgsl: (spec) => wgsl`
      ${computeMain(spec)} {
        let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        let col = i % params.rowSize;
        let firstRow = i / params.rowSize * params.blockRows;
        if (firstRow >= params.numRows) { return; }
        var total = 0.0;
        for (var row = firstRow; row < min(params.numRows, firstRow + params.blockRows); row++) {
          total += dy[row * params.rowSize + col] * f32(x[row * params.rowSize + col]) * rstd[row];
        }
        part[i] = total;
      }`,
});
