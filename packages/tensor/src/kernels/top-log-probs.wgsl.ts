import { defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { blockedSum } from "./lib/blocked-sum.js";
import { computeMain } from "./lib/grid.js";
import { reduceEnables, reduceMax, reduceSum } from "./lib/reduce.js";
import { rowGrid, rowHead } from "./lib/rows.js";
import { vocabularyVariants, type VocabularySpec } from "./lib/vocabulary.js";
import { wgsl } from "./wgsl.js";

/**
 * logProb(id) = logits[row, id] − largest − ln(Σ e^(logit − largest)):  that of ids[row], then those of the `numTop` likeliest ids, the lowest id first among
 * equals, then these ids, as numbers. A workgroup, or a lane, per row, which looks at the logits numTop + 2 times; sums in f32 blocks.
 */
export type TopLogProbsSpec = VocabularySpec;

export const topLogProbsKernel: Kernel<TopLogProbsSpec, "logits" | "ids" | "packed", "numRows" | "vocabSize" | "numTop"> =
  defineKernel<TopLogProbsSpec>()({
    name: "topLogProbs",
    bindings: { logits: read("f32"), ids: read("u32"), packed: write("f32") },
    params: { numRows: "u32", vocabSize: "u32", numTop: "u32" },
    variants: vocabularyVariants<TopLogProbsSpec>(),
    cost: ({ numRows, vocabSize, numTop }) => ({ bytes: 4 * numRows * vocabSize * (numTop + 2), flops: 0 }),
    grid: ({ numRows }, spec) => rowGrid(numRows, spec),
    enables: reduceEnables,
    examples: [{ fewIds: false }, { fewIds: true }],
    wgsl: (spec) => wgsl`
    ${reduceMax(spec)}
    ${reduceSum(spec)}
    // The largest logit that comes after another in order, and its id.
    var<private> best: f32;
    var<private> bestId: u32;

    fn findAfter(base: u32, logit: f32, id: u32, firstCol: u32, colStep: u32) {
      var found = -3.4e38;
      var foundId = params.vocabSize;
      for (var col = firstCol; col < params.vocabSize; col += colStep) {
        let z = logits[base + col];
        let isAfter = z < logit || (z == logit && col > id);
        if (isAfter && z > found) { found = z; foundId = col; }
      }
      best = reduceMax(found, firstCol);
      bestId = u32(-reduceMax(-f32(select(params.vocabSize, foundId, found == best)), firstCol));
    }

    ${computeMain(spec)} {
      ${rowHead(spec)}
      let base = row * params.vocabSize;
      let at = row * (1u + 2u * params.numTop);
      findAfter(base, 3.4e38, 0u, firstCol, colStep);
      let largest = best;
      ${blockedSum({
        sums: { part: "exp(logits[base + col] - largest)" },
        index: "col",
        from: "firstCol",
        to: "params.vocabSize",
        step: "colStep",
      })}
      let logSum = log(reduceSum(part, firstCol));
      if (firstCol == 0u) { packed[at] = logits[base + ids[row]] - largest - logSum; }
      for (var top = 0u; top < params.numTop; top++) {
        if (firstCol == 0u) {
          packed[at + 1u + top] = best - largest - logSum;
          packed[at + 1u + params.numTop + top] = f32(bestId);
        }
        findAfter(base, best, bestId, firstCol, colStep);
      }
    }`,
  });
