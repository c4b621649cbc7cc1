import { concat } from "@kto/tensor";
import type { MethodContext } from "../loop/method.js";
import { inPassesOf } from "../memory/passes.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import type { PairRow } from "./prepare-dpo-dataset.js";
import { answersOf, tokenWeights } from "./score-pairs.js";

/** Options of `precomputeReference`. */
export interface PrecomputeOptions {
  /** Pairs at a time. */
  batchSize: number;
  ldAlpha: number | null;
  signal?: AbortSignal | undefined;
  onProgress?(done: number): void;
}

/** Pairs with the reference's log-probabilities of both answers, computed in batches of `batchSize`. */
export async function precomputeReference(
  context: MethodContext,
  pairs: readonly PairRow[],
  { batchSize, ldAlpha, signal, onProgress }: PrecomputeOptions,
): Promise<PairRow[]> {
  const { base, device } = context.model;
  const done: PairRow[] = [];
  for (let start = 0; start < pairs.length; start += batchSize) {
    signal?.throwIfAborted();
    const batch = pairs.slice(start, start + batchSize);
    using logProbs = device.scope("precomputeReference", () =>
      context.reference.run(() =>
        concat(
          inPassesOf(
            context,
            batch,
            (pair) => answersOf([pair]),
            (part, options) => scoreBatch(base, packScoredBatch(base, answersOf(part), options), tokenWeights(part, ldAlpha)).logProbs,
          ),
        ),
      ),
    ); // [2 · batch]
    const values = await logProbs.read();
    batch.forEach((pair, index) =>
      done.push({ ...pair, refChosenLogProb: values[2 * index]!, refRejectedLogProb: values[2 * index + 1]! }),
    );
    onProgress?.(done.length);
  }
  return done;
}
