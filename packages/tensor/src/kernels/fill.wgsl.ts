import type { Dtype } from "../dtype.js";
import { always, defineKernel, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/** y[i] = value.  One thread per element. */
export type FillSpec = { dtype: Dtype; workgroupSize: number };

export const fillKernel: Kernel<FillSpec, "y", "size" | "value"> = defineKernel<FillSpec>()({
  name: "fill",
  bindings: { y: write("dtype") },
  params: { size: "u32", value: "f32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ size }) => ({ bytes: 4 * size, flops: 0 }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{ dtype: "f32" }, { dtype: "f16" }, { dtype: "u32" }],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { y[i] = Dtype(params.value); }
    }`,
});
