import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/** y[i, j] = a[i] · b[j].  One thread per element. */
export type OuterSpec = { workgroupSize: number };

export const outerKernel: Kernel<OuterSpec, "a" | "b" | "y", "size" | "bSize"> = defineKernel<OuterSpec>()({
  name: "outer",
  bindings: { a: read("f32"), b: read("f32"), y: write("f32") },
  params: { size: "u32", bSize: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ size }) => ({ bytes: 4 * size, flops: size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { y[i] = a[i / params.bSize] * b[i % params.bSize]; }
    }`,
});
