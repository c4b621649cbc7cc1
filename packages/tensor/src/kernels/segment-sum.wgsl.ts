import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { blockedSum } from "./lib/blocked-sum.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { reduceEnables, reduceSum, type Reduce } from "./lib/reduce.js";
import { rowVariants } from "./lib/row-variants.js";
import { rowGrid, rowHead } from "./lib/rows.js";
import { wgsl } from "./wgsl.js";

/** y[row] = sum of x[i] over bounds[row] ≤ i < bounds[row + 1]; an empty range gives 0.  A workgroup, or a lane, per range. */
export type SegmentSumSpec = { workgroupSize: number; rowPerLane: boolean; reduce: Reduce };

export const segmentSumKernel: Kernel<SegmentSumSpec, "x" | "bounds" | "y", "numRows"> = defineKernel<SegmentSumSpec>()({
  name: "segmentSum",
  bindings: { x: read("f32"), bounds: read("u32"), y: write("f32") },
  params: { numRows: "u32" },
  variants: rowVariants<SegmentSumSpec>(),
  grid: ({ numRows }, spec) => rowGrid(numRows, spec),
  enables: reduceEnables,
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${reduceSum(spec)}

    ${computeMain(spec)} {
      ${rowHead(spec)}
      let end = bounds[row + 1u];
      ${blockedSum({ sums: { partial: "x[i]" }, index: "i", from: "bounds[row] + firstCol", to: "end", step: "colStep" })}
      let total = reduceSum(partial, lane);
      if (firstCol == 0u) { y[row] = total; }
    }`,
});

/** dx[i] = dy[row] of the range that holds i, found by bisection, or 0 outside all ranges.  One thread per element of dx. */
export type SegmentSumBackwardSpec = { workgroupSize: number };

export const segmentSumBackwardKernel: Kernel<SegmentSumBackwardSpec, "dy" | "bounds" | "dx", "size" | "numRows"> =
  defineKernel<SegmentSumBackwardSpec>()({
    name: "segmentSumBackward",
    bindings: { dy: read("f32"), bounds: read("u32"), dx: write("f32") },
    params: { size: "u32", numRows: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
    cost: ({ size }) => ({ bytes: 4 * size, flops: 0 }),
    grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
    examples: [{}],
    wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      var low = 0u; // the number of ranges that end at or before i lies in low ..= high
      var high = params.numRows;
      while (low < high) {
        let middle = (low + high) / 2u;
        if (bounds[middle + 1u] <= i) { low = middle + 1u; } else { high = middle; }
      }
      var gradient = 0.0;
      if (low < params.numRows && bounds[low] <= i) { gradient = dy[low]; }
      dx[i] = gradient;
    }`,
  });
