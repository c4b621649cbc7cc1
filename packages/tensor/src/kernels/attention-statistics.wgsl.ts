import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { attentionHead, type AttentionShape, type RowSharing } from "./lib/attention.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * statistics[t] = (logSumExp[t], delta[t]),  delta[t] = sum over the head's features of dOut[t] · out[t], for each query head.
 * One thread per query and head, f32.
 */
export type AttentionStatisticsSpec = AttentionShape & RowSharing & { outType: FloatDtype };

export const attentionStatisticsKernel: Kernel<AttentionStatisticsSpec, "out" | "dOut" | "logSumExp" | "statistics", "numTokens"> =
  defineKernel<AttentionStatisticsSpec>()({
    name: "attentionStatistics",
    bindings: { out: read("vector<outType>"), dOut: read("vector<f32>"), logSumExp: read("f32"), statistics: write("vec2<f32>") },
    params: { numTokens: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64, lanesPerRow: 1 } }],
    grid: ({ numTokens }, { numHeads, workgroupSize }) => oneThreadPer(numTokens * numHeads, workgroupSize),
    examples: [
      { outType: "f32", numHeads: 4, numKeyValueHeads: 2, headDim: 16, vector: "vec4" },
      { outType: "f16", numHeads: 12, numKeyValueHeads: 2, headDim: 128, vector: "vec4" },
    ],
    wgsl: (spec) => wgsl`
    ${attentionHead(spec)}

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (index >= params.numTokens * NUM_HEADS) { return; }
      let base = index * VECTORS;
      var delta = 0.0;
      for (var i = 0u; i < VECTORS; i++) { delta += dot(Vector(out[base + i]), dOut[base + i]); }
      statistics[index] = vec2<f32>(logSumExp[index], delta);
    }`,
  });
