import { concat, type CausalLM, type Tensor } from "@kto/tensor";
import { mappedRows, type RowSequence } from "../data/row-sequence.js";
import type { ScoredRow } from "../data/rows.js";
import type { MethodContext } from "../loop/method.js";
import { inPasses } from "../memory/passes.js";
import { inBatches, type BatchOptions } from "../scoring/in-batches.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import { mismatched, type KtoRow } from "./prepare-kto-dataset.js";

/** Options of `precomputeReference`. */
export interface PrecomputeOptions extends BatchOptions {
  /** Also of the prompts with the completions that they borrow. */
  hasKl: boolean;
}

/** Rows with the reference's log-probabilities, computed in batches of `batchSize`; a number or two a row are kept. */
export async function precomputeReference(
  context: MethodContext,
  rows: RowSequence<KtoRow>,
  { hasKl, ...options }: PrecomputeOptions,
): Promise<RowSequence<KtoRow>> {
  const { device } = context.model;
  const refLogProbs = new Float32Array(rows.length);
  const refKlLogProbs = new Float32Array(hasKl ? rows.length : 0);
  await inBatches(rows, options, async (batch, start) => {
    const tensors = device.scope("precomputeReference", () =>
      context.reference.run((model) => [
        logProbs(model, context, batch),
        ...(hasKl ? [logProbs(model, context, batch.map(mismatched))] : []),
      ]),
    );
    const [ofMatched, ofMismatched] = await device.readAll(tensors);
    for (const tensor of tensors) tensor.dispose();
    refLogProbs.set(ofMatched!, start);
    if (ofMismatched) refKlLogProbs.set(ofMismatched, start);
  });
  return mappedRows(rows, (row, index) => ({
    ...row,
    refLogProb: refLogProbs[index]!,
    ...(hasKl && { refKlLogProb: refKlLogProbs[index]! }),
  }));
}

/** [numRows] f32 nats, in as many passes as the layout asks for. */
function logProbs(model: CausalLM, context: MethodContext, rows: readonly ScoredRow[]): Tensor {
  return concat(inPasses(context, rows, (part, options) => scoreBatch(model, packScoredBatch(model, part, options)).logProbs));
}
