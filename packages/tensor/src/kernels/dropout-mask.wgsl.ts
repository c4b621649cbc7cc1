import { always, defineKernel, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/** y[i] = u(seed, stream, first + i) < probability ? 0 : 1 / (1 − probability), u from a 32-bit mixing hash of its arguments.  One thread per element. */
export type DropoutMaskSpec = { workgroupSize: number };

export const dropoutMaskKernel: Kernel<DropoutMaskSpec, "y", "size" | "first" | "seed" | "stream" | "threshold" | "kept"> =
  defineKernel<DropoutMaskSpec>()({
    name: "dropoutMask",
    bindings: { y: write("f32") },
    params: { size: "u32", first: "u32", seed: "u32", stream: "u32", threshold: "u32", kept: "f32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
    cost: ({ size }) => ({ bytes: 4 * size, flops: 0 }),
    grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
    examples: [{}],
    wgsl: (spec) => wgsl`
    fn mix(value: u32) -> u32 {
      var h = value;
      h = (h ^ (h >> 16u)) * 0x7feb352du;
      h = (h ^ (h >> 15u)) * 0x846ca68bu;
      return h ^ (h >> 16u);
    }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      let random = mix((params.first + i) ^ mix(params.stream ^ mix(params.seed)));
      y[i] = select(params.kept, 0.0, random < params.threshold);
    }`,
  });
