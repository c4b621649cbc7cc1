import { concat } from "@kto/tensor";
import type { MethodContext } from "../loop/method.js";
import { inPassesOf } from "../memory/passes.js";
import { inBatches, type BatchOptions } from "../scoring/in-batches.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import type { PairRow } from "../pairs/prepare-pair-dataset.js";
import { answersOf } from "../pairs/pair-answers.js";
import { tokenWeights } from "./token-weights.js";

/** Options of `precomputeReference`. */
export interface PrecomputeOptions extends BatchOptions {
  ldAlpha: number | null;
}

/** Pairs with the reference's log-probabilities of both answers, computed in batches of `batchSize` pairs. */
export function precomputeReference(
  context: MethodContext,
  pairs: readonly PairRow[],
  { ldAlpha, ...options }: PrecomputeOptions,
): Promise<PairRow[]> {
  const { device } = context.model;
  return inBatches(pairs, options, async (batch) => {
    using logProbs = device.scope("precomputeReference", () =>
      context.reference.run((model) =>
        concat(
          inPassesOf(
            context,
            batch,
            (pair) => answersOf([pair]),
            (part, packing) => scoreBatch(model, packScoredBatch(model, answersOf(part), packing), tokenWeights(part, ldAlpha)).logProbs,
          ),
        ),
      ),
    ); // [2 · batch]
    const values = await logProbs.read();
    return batch.map((pair, index) => ({ ...pair, refChosenLogProb: values[2 * index]!, refRejectedLogProb: values[2 * index + 1]! }));
  });
}
