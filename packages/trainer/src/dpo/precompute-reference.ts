import { concat } from "@kto/tensor";
import { mappedRows, type RowSequence } from "../data/row-sequence.js";
import type { ScoredRow } from "../data/rows.js";
import type { MethodContext } from "../loop/method.js";
import { inPassesOf } from "../memory/passes.js";
import { inBatches, type BatchOptions } from "../scoring/in-batches.js";
import { keptNumbers, type KeepOptions } from "../scoring/kept-numbers.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import type { PairRow } from "../pairs/prepare-pair-dataset.js";
import { tokenWeights } from "./token-weights.js";

/** Options of `precomputeReference`. */
export interface PrecomputeOptions extends BatchOptions, Omit<KeepOptions, "signal"> {
  ldAlpha: number | null;
  /** Whether these are `answers` with a prompt once for both. */
  sharesPrompts: boolean;
  /** The answers of some pairs as they go through the model. */
  answers(pairs: readonly PairRow[]): ScoredRow[];
}

/** Pairs with the reference's log-probabilities of both answers, computed in batches of `batchSize` pairs; two numbers a pair are kept. */
export async function precomputeReference(
  context: MethodContext,
  pairs: RowSequence<PairRow>,
  { ldAlpha, answers, sharesPrompts, cache, onKept, ...options }: PrecomputeOptions,
): Promise<RowSequence<PairRow>> {
  const { batchSize, signal, collective } = options;
  const values = await keptNumbers(
    context,
    {
      rows: pairs,
      sequencesOf: ({ chosen, rejected }) => [chosen, rejected],
      count: 2 * pairs.length,
      settings: { method: "dpo", ldAlpha, sharesPrompts, batchSize },
      cache,
      onKept,
      signal,
      collective,
    },
    () => compute(context, pairs, { ldAlpha, answers, ...options }),
  );
  return mappedRows(pairs, (pair, index) => ({
    ...pair,
    refChosenLogProb: values[2 * index]!,
    refRejectedLogProb: values[2 * index + 1]!,
  }));
}

/** [2 · numPairs]: of the chosen and of the rejected answer of each pair in turn. */
async function compute(
  context: MethodContext,
  pairs: RowSequence<PairRow>,
  { ldAlpha, answers, ...options }: BatchOptions & Pick<PrecomputeOptions, "ldAlpha" | "answers">,
): Promise<Float32Array> {
  const { device } = context.model;
  const values = new Float32Array(2 * pairs.length);
  await inBatches(pairs, options, async (batch, start) => {
    using logProbs = device.scope("precomputeReference", () =>
      context.reference.run((model) =>
        concat(
          inPassesOf(
            context,
            batch,
            (pair) => answers([pair]),
            (part, packing) => scoreBatch(model, packScoredBatch(model, answers(part), packing), tokenWeights(part, ldAlpha)).logProbs,
          ),
        ),
      ),
    ); // [2 · batch]
    values.set(await logProbs.read(), 2 * start);
  });
  return values;
}
