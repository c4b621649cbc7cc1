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

/** y[block, col] = sum of x[row, col] over the rows of a block of `blockRows`, in order.  One thread per block and column. */
export type SumColumnsSpec = { workgroupSize: number };

export const sumColumnsKernel: Kernel<SumColumnsSpec, "x" | "y", "numRows" | "rowSize" | "blockRows"> = defineKernel<SumColumnsSpec>()({
  name: "sumColumns",
  bindings: { x: read("f32"), y: write("f32") },
  params: { numRows: "u32", rowSize: "u32", blockRows: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ numRows, rowSize }) => ({ bytes: 4 * numRows * rowSize, flops: numRows * rowSize }),
  grid: ({ numRows, rowSize, blockRows }, { workgroupSize }) => oneThreadPer(Math.ceil(numRows / blockRows) * rowSize, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      let firstRow = i / params.rowSize * params.blockRows;
      if (firstRow >= params.numRows) { return; }
      let col = i % params.rowSize;
      var total = 0.0;
      for (var row = firstRow; row < min(params.numRows, firstRow + params.blockRows); row++) { total += x[row * params.rowSize + col]; }
      y[i] = total;
    }`,
});
