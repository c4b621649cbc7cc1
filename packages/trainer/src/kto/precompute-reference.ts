import { concat, type Tensor } from "@kto/tensor";
import type { ScoredRow } from "../data/rows.js";
import type { MethodContext } from "../loop/method.js";
import { inPasses } from "../memory/passes.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import { mismatched, type KtoRow } from "./prepare-kto-dataset.js";

/** Options of `precomputeReference`. */
export interface PrecomputeOptions {
  batchSize: number;
  /** Also of the prompts with the completions that they borrow. */
  hasKl: boolean;
  signal?: AbortSignal | undefined;
  onProgress?(done: number): void;
}

/** Rows with the reference's log-probabilities, computed in batches of `batchSize`. */
export async function precomputeReference(
  context: MethodContext,
  rows: readonly KtoRow[],
  { batchSize, hasKl, signal, onProgress }: PrecomputeOptions,
): Promise<KtoRow[]> {
  const { device } = context.model;
  const done: KtoRow[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    signal?.throwIfAborted();
    const batch = rows.slice(start, start + batchSize);
    const tensors = device.scope("precomputeReference", () =>
      context.reference.run(() => [logProbs(context, batch), ...(hasKl ? [logProbs(context, batch.map(mismatched))] : [])]),
    );
    const [ofMatched, ofMismatched] = await device.readAll(tensors);
    for (const tensor of tensors) tensor.dispose();
    batch.forEach((row, index) =>
      done.push({ ...row, refLogProb: ofMatched![index]!, ...(ofMismatched && { refKlLogProb: ofMismatched[index]! }) }),
    );
    onProgress?.(done.length);
  }
  return done;
}

/** [numRows] f32 nats, in as many passes as the layout asks for. */
function logProbs(context: MethodContext, rows: readonly ScoredRow[]): Tensor {
  const { base } = context.model;
  return concat(inPasses(context, rows, (part, options) => scoreBatch(base, packScoredBatch(base, part, options)).logProbs));
}
