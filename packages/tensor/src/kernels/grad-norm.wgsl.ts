import { defineKernel, read, write, always, type Kernel } from "./define-kernel.js";
import { blockedSum } from "./lib/blocked-sum.js";
import { computeMain, oneGroupPer } from "./lib/grid.js";
import { reduceEnables, reduceSum, type Reduce } from "./lib/reduce.js";
import { rowVariants } from "./lib/row-variants.js";
import { rowGrid, rowHead } from "./lib/rows.js";
import { wgsl } from "./wgsl.js";

/** part[partOffset + row] = sum of x² over the elements of block `row`, `rowSize` long.  A workgroup, or a lane, per block. */
export type SumSquaresSpec = { workgroupSize: number; rowPerLane: boolean; reduce: Reduce };

export const sumSquaresKernel: Kernel<SumSquaresSpec, "x" | "part", "numRows" | "rowSize" | "size" | "partOffset"> =
  defineKernel<SumSquaresSpec>()({
    name: "sumSquares",
    bindings: { x: read("f32"), part: write("f32") },
    params: { numRows: "u32", rowSize: "u32", size: "u32", partOffset: "u32" },
    variants: rowVariants<SumSquaresSpec>(),
    cost: ({ size }) => ({ bytes: 4 * size, flops: 2 * size }),
    grid: ({ numRows }, spec) => rowGrid(numRows, spec),
    enables: reduceEnables,
    examples: [{}],
    wgsl: (spec) => wgsl`
    ${reduceSum(spec)}

    ${computeMain(spec)} {
      ${rowHead(spec)}
      let start = row * params.rowSize;
      let end = min(params.size, start + params.rowSize);
      ${blockedSum({ sums: { partial: "x[i] * x[i]" }, index: "i", from: "start + firstCol", to: "end", step: "colStep" })}
      let total = reduceSum(partial, lane);
      if (firstCol == 0u) { part[params.partOffset + row] = total; }
    }`,
  });

/** norm[row] = sqrt(sum over col of part[row, col]).  A workgroup, or a lane, per row; there is one row. */
export type RootSumSpec = { workgroupSize: number; rowPerLane: boolean; reduce: Reduce };

export const rootSumKernel: Kernel<RootSumSpec, "part" | "norm", "numRows" | "rowSize"> = defineKernel<RootSumSpec>()({
  name: "rootSum",
  bindings: { part: read("f32"), norm: write("f32") },
  params: { numRows: "u32", rowSize: "u32" },
  variants: rowVariants<RootSumSpec>(),
  grid: ({ numRows }, spec) => rowGrid(numRows, spec),
  enables: reduceEnables,
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${reduceSum(spec)}

    ${computeMain(spec)} {
      ${rowHead(spec)}
      ${blockedSum({ sums: { partial: "part[row * params.rowSize + col]" }, index: "col", from: "firstCol", to: "params.rowSize", step: "colStep" })}
      let total = reduceSum(partial, lane);
      if (firstCol == 0u) { norm[row] = sqrt(total); }
    }`,
});

/** factor[0] = min(1, maxNorm / (norm[0] + 1e-6)), or −1 if the norm is an infinity or NaN (told by its exponent bits).  One thread. */
export type ClipFactorSpec = { workgroupSize: number };

export const clipFactorKernel: Kernel<ClipFactorSpec, "norm" | "factor", "maxNorm"> = defineKernel<ClipFactorSpec>()({
  name: "clipFactor",
  bindings: { norm: read("f32"), factor: write("f32") },
  params: { maxNorm: "f32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 1 } }],
  grid: () => oneGroupPer(1),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) + lane;
      let isFinite = (bitcast<u32>(norm[i]) & 0x7f800000u) != 0x7f800000u;
      var result = -1.0;
      if (isFinite) { result = min(1.0, params.maxNorm / (norm[i] + 1e-6)); }
      factor[i] = result;
    }`,
});
