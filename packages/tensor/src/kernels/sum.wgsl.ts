import { defineKernel, read, write, always, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { reduceEnables, reduceSum, type Reduce } from "./lib/reduce.js";
import { rowVariants } from "./lib/row-variants.js";
import { rowGrid, rowHead } from "./lib/rows.js";
import { wgsl } from "./wgsl.js";

/** y[row] = scale · sum over col of x[row, col].  A workgroup, or a lane, per row. */
export type SumRowsSpec = { workgroupSize: number; rowPerLane: boolean; reduce: Reduce };

export const sumRowsKernel: Kernel<SumRowsSpec, "x" | "y", "numRows" | "rowSize" | "scale"> = defineKernel<SumRowsSpec>()({
  name: "sumRows",
  bindings: { x: read("f32"), y: write("f32") },
  params: { numRows: "u32", rowSize: "u32", scale: "f32" },
  variants: rowVariants<SumRowsSpec>(),
  cost: ({ numRows, rowSize }) => ({ bytes: 4 * numRows * rowSize, flops: numRows * rowSize }),
  grid: ({ numRows }, spec) => rowGrid(numRows, spec),
  enables: reduceEnables,
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${reduceSum(spec)}

    ${computeMain(spec)} {
      ${rowHead(spec)}
      var partial = 0.0;
      for (var col = firstCol; col < params.rowSize; col += colStep) { partial += x[row * params.rowSize + col]; }
      let total = reduceSum(partial, lane);
      if (firstCol == 0u) { y[row] = params.scale * total; }
    }`,
});

/** y[col] = sum over row of x[row, col].  One thread per column, rows in order. */
export type SumColumnsSpec = { workgroupSize: number };

export const sumColumnsKernel: Kernel<SumColumnsSpec, "x" | "y", "numRows" | "rowSize"> = defineKernel<SumColumnsSpec>()({
  name: "sumColumns",
  bindings: { x: read("f32"), y: write("f32") },
  params: { numRows: "u32", rowSize: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ numRows, rowSize }) => ({ bytes: 4 * numRows * rowSize, flops: numRows * rowSize }),
  grid: ({ rowSize }, { workgroupSize }) => oneThreadPer(rowSize, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let col = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (col >= params.rowSize) { return; }
      var total = 0.0;
      for (var row = 0u; row < params.numRows; row++) { total += x[row * params.rowSize + col]; }
      y[col] = total;
    }`,
});
