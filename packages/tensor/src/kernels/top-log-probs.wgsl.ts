import { defineKernel, read, write, always, type Kernel } from "./define-kernel.js";
import { blockedSum } from "./lib/blocked-sum.js";
import { computeMain, oneGroupPer } from "./lib/grid.js";
import { reduceEnables, reduceMax, reduceSum, type Reduce } from "./lib/reduce.js";
import { wgsl } from "./wgsl.js";

/**
 * logProb(id) = logits[row, id] − largest − ln(Σ e^(logit − largest)):  that of ids[row], then those of the `numTop` likeliest ids, the lowest id first among
 * equals, then these ids, as numbers. One workgroup a row, which looks at the logits numTop + 2 times; sums in f32 blocks.
 */
export type TopLogProbsSpec = { workgroupSize: number; reduce: Reduce };

export const topLogProbsKernel: Kernel<TopLogProbsSpec, "logits" | "ids" | "packed", "numRows" | "vocabSize" | "numTop"> =
  defineKernel<TopLogProbsSpec>()({
    name: "topLogProbs",
    bindings: { logits: read("f32"), ids: read("u32"), packed: write("f32") },
    params: { numRows: "u32", vocabSize: "u32", numTop: "u32" },
    variants: [
      { name: "small", when: ({ software }) => software, spec: { workgroupSize: 16, reduce: "plain" } },
      { name: "subgroup", when: ({ subgroups }) => subgroups, spec: { workgroupSize: 256, reduce: "subgroup" } },
      { name: "plain", when: always, spec: { workgroupSize: 256, reduce: "plain" } },
    ],
    cost: ({ numRows, vocabSize, numTop }) => ({ bytes: 4 * numRows * vocabSize * (numTop + 2), flops: 0 }),
    grid: ({ numRows }) => oneGroupPer(numRows),
    enables: reduceEnables,
    examples: [{}],
    wgsl: (spec) => wgsl`
    ${reduceMax(spec)}
    ${reduceSum(spec)}
    // The largest logit that comes after another in order, and its id.
    var<private> best: f32;
    var<private> bestId: u32;

    fn findAfter(base: u32, logit: f32, id: u32, lane: u32) {
      var found = -3.4e38;
      var foundId = params.vocabSize;
      for (var col = lane; col < params.vocabSize; col += WORKGROUP_SIZE) {
        let z = logits[base + col];
        let isAfter = z < logit || (z == logit && col > id);
        if (isAfter && z > found) { found = z; foundId = col; }
      }
      best = reduceMax(found, lane);
      bestId = u32(-reduceMax(-f32(select(params.vocabSize, foundId, found == best)), lane));
    }

    ${computeMain(spec)} {
      let row = foldedIndex(group, groups);
      if (row >= params.numRows) { return; }
      let base = row * params.vocabSize;
      let at = row * (1u + 2u * params.numTop);
      findAfter(base, 3.4e38, 0u, lane);
      let largest = best;
      ${blockedSum({
        sums: { part: "exp(logits[base + col] - largest)" },
        index: "col",
        from: "lane",
        to: "params.vocabSize",
        step: "WORKGROUP_SIZE",
      })}
      let logSum = log(reduceSum(part, lane));
      if (lane == 0u) { packed[at] = logits[base + ids[row]] - largest - logSum; }
      for (var top = 0u; top < params.numTop; top++) {
        if (lane == 0u) {
          packed[at + 1u + top] = best - largest - logSum;
          packed[at + 1u + params.numTop + top] = f32(bestId);
        }
        findAfter(base, best, bestId, lane);
      }
    }`,
  });
