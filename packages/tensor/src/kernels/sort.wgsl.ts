import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

const variants = [{ name: "plain", when: always, spec: { workgroupSize: 64 } }];

/**
 * y[ranks[i]] = x[i], where ranks[i] counts the elements that come before x[i]: smaller ones, and equal ones of a lower index. The order is that of the bits
 * (−0 before 0, NaN at the ends), so that ranks are a permutation whatever x holds.  One thread per element, which looks at all the others.
 */
export type SortSpec = { workgroupSize: number };

export const sortKernel: Kernel<SortSpec, "x" | "y" | "ranks", "size"> = defineKernel<SortSpec>()({
  name: "sort",
  bindings: { x: read("u32"), y: write("u32"), ranks: write("u32") },
  params: { size: "u32" },
  variants,
  cost: ({ size }) => ({ bytes: 12 * size, flops: size * size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    // The bits of a float as a number of the same order.
    fn orderOf(bits: u32) -> u32 { return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u); }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      let own = orderOf(x[i]);
      var rank = 0u;
      for (var other = 0u; other < params.size; other++) {
        let order = orderOf(x[other]);
        if (order < own || (order == own && other < i)) { rank++; }
      }
      y[rank] = x[i];
      ranks[i] = rank;
    }`,
});

/** dx[i] = dy[ranks[i]].  One thread per element. */
export type SortBackwardSpec = { workgroupSize: number };

export const sortBackwardKernel: Kernel<SortBackwardSpec, "dy" | "ranks" | "dx", "size"> = defineKernel<SortBackwardSpec>()({
  name: "sortBackward",
  bindings: { dy: read("f32"), ranks: read("u32"), dx: write("f32") },
  params: { size: "u32" },
  variants,
  cost: ({ size }) => ({ bytes: 12 * size, flops: 0 }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { dx[i] = dy[ranks[i]]; }
    }`,
});
