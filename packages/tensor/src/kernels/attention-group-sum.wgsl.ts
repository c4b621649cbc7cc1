import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/** y[token, keyHead, :] = sum over the query heads of keyHead's group, in order, of x[token, head, :].  One vec4 a thread; two matrices, at their offsets. */
export type AttentionGroupSumSpec = { numKeyValueHeads: number; groupSize: number; headDim: number; workgroupSize: number };

export const attentionGroupSumKernel: Kernel<AttentionGroupSumSpec, "x" | "y", "numTokens" | "xOffset" | "yOffset"> =
  defineKernel<AttentionGroupSumSpec>()({
    name: "attentionGroupSum",
    bindings: { x: read("vec4<f32>"), y: write("vec4<f32>") },
    params: { numTokens: "u32", xOffset: "u32", yOffset: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 256 } }],
    grid: ({ numTokens }, { numKeyValueHeads, headDim, workgroupSize }) =>
      oneThreadPer((2 * numTokens * numKeyValueHeads * headDim) / 4, workgroupSize),
    examples: [{ numKeyValueHeads: 2, groupSize: 6, headDim: 128 }],
    wgsl: (spec) => wgsl`
    const VECTORS = HEAD_DIM / 4u;

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      let count = params.numTokens * NUM_KEY_VALUE_HEADS * VECTORS;
      if (index >= 2u * count) { return; }
      let matrix = index / count;
      let i = index % count;
      let base = matrix * params.xOffset / 4u + i / VECTORS * GROUP_SIZE * VECTORS + i % VECTORS;
      var total = vec4<f32>();
      for (var member = 0u; member < GROUP_SIZE; member++) { total += x[base + member * VECTORS]; }
      y[matrix * params.yOffset / 4u + i] = total;
    }`,
  });
