import { concat, type Tensor } from "@kto/tensor";
import type { SharedPromptArguments } from "../config/shared-prompt-fields.js";
import { mappedRows, type RowSequence } from "../data/row-sequence.js";
import type { ScoredRow } from "../data/rows.js";
import type { MethodContext } from "../loop/method.js";
import { inPasses } from "../memory/passes.js";
import { inBatches, type BatchOptions } from "../scoring/in-batches.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import { numInJointPass, packJointPass } from "./joint-pass.js";
import { bothLogProbs } from "./kto-forward.js";
import { mismatched, type KtoRow } from "./prepare-kto-dataset.js";

/** Options of `precomputeReference`. */
export interface PrecomputeOptions extends BatchOptions {
  /** Also of the prompts with the completions that they borrow. */
  hasKl: boolean;
}

/**
 * Rows with the reference's log-probabilities, computed in batches of `batchSize`; a number or two a row are kept. A batch goes through in the passes that a micro-batch
 * of its rows would.
 */
export async function precomputeReference(
  context: MethodContext,
  args: SharedPromptArguments,
  rows: RowSequence<KtoRow>,
  { hasKl, ...options }: PrecomputeOptions,
): Promise<RowSequence<KtoRow>> {
  const { device } = context.model;
  const refLogProbs = new Float32Array(rows.length);
  const refKlLogProbs = new Float32Array(hasKl ? rows.length : 0);
  await inBatches(rows, options, async (batch, start) => {
    const tensors = device.scope("precomputeReference", () => (hasKl ? ofBoth(context, args, batch) : [ofRows(context, batch, batch)]));
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

/** [numRows] f32 nats each: of the rows, and of the mismatched ones. */
function ofBoth(context: MethodContext, args: SharedPromptArguments, rows: readonly KtoRow[]): Tensor[] {
  const { model, reference, layout } = context;
  const count = numInJointPass(model.base, args, rows, layout);
  const joint = count > 0 ? reference.run((of) => bothLogProbs(of, packJointPass(of, args, { rows, count }, layout))) : [];
  if (count === rows.length) return joint;
  const rest = [ofRows(context, rows.slice(count), rows), ofRows(context, rows.slice(count).map(mismatched), rows.map(mismatched))];
  return rest.map((tensor, kind) => (joint[kind] ? concat([joint[kind], tensor]) : tensor));
}

/** [numRows] f32 nats of some rows of a batch, in as many passes as the layout asks for. */
function ofRows(context: MethodContext, rows: readonly ScoredRow[], whole: readonly ScoredRow[]): Tensor {
  return context.reference.run((model) =>
    concat(inPasses(context, rows, (part, options) => scoreBatch(model, packScoredBatch(model, part, options)).logProbs, whole)),
  );
}
