import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/** y[i] = 1 where a[i] = b[i], else 0.  One thread per element. */
export type EqualSpec = { workgroupSize: number };

export const equalKernel: Kernel<EqualSpec, "a" | "b" | "y", "size"> = defineKernel<EqualSpec>()({
  name: "equal",
  bindings: { a: read("u32"), b: read("u32"), y: write("f32") },
  params: { size: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ size }) => ({ bytes: 12 * size, flops: 0 }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { y[i] = select(0.0, 1.0, a[i] == b[i]); }
    }`,
});
