import { concat, type Tensor } from "@kto/tensor";
import { sharesPrompts, type SharedPromptArguments } from "../config/shared-prompt-fields.js";
import { mappedRows, type RowSequence } from "../data/row-sequence.js";
import type { ScoredRow } from "../data/rows.js";
import type { MethodContext } from "../loop/method.js";
import { inPasses } from "../memory/passes.js";
import { inBatches, type BatchOptions } from "../scoring/in-batches.js";
import { keptNumbers, type KeepOptions } from "../scoring/kept-numbers.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import { numInJointPass, packJointPass } from "./joint-pass.js";
import { bothLogProbs } from "./kto-forward.js";
import { mismatched, type KtoRow } from "./prepare-kto-dataset.js";

/** Options of `precomputeReference`. */
export interface PrecomputeOptions extends BatchOptions, Omit<KeepOptions, "signal"> {
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
  { hasKl, cache, onKept, ...options }: PrecomputeOptions,
): Promise<RowSequence<KtoRow>> {
  const { device } = context.model;
  const { length } = rows;
  const numbers = await keptNumbers(
    context,
    {
      rows,
      sequencesOf: (row) => (hasKl ? [row, mismatched(row)] : [row]),
      count: hasKl ? 2 * length : length,
      settings: { method: "kto", hasKl, sharesPrompts: sharesPrompts(args), batchSize: options.batchSize },
      cache,
      onKept,
      signal: options.signal,
      collective: options.collective,
    },
    async () => {
      const found = new Float32Array(hasKl ? 2 * length : length); // of all matched rows, then of all mismatched
      await inBatches(rows, options, async (batch, start) => {
        const tensors = device.scope("precomputeReference", () => (hasKl ? ofBoth(context, args, batch) : [ofRows(context, batch, batch)]));
        const [ofMatched, ofMismatched] = await device.readAll(tensors);
        for (const tensor of tensors) tensor.dispose();
        found.set(ofMatched!, start);
        if (ofMismatched) found.set(ofMismatched, length + start);
      });
      return found;
    },
  );
  return mappedRows(rows, (row, index) => ({
    ...row,
    refLogProb: numbers[index]!,
    ...(hasKl && { refKlLogProb: numbers[length + index]! }),
  }));
}

/** [numRows] f32 nats each: of the rows, and of the mismatched ones. */
function ofBoth(context: MethodContext, args: SharedPromptArguments, rows: readonly KtoRow[]): Tensor[] {
  const { model, reference, layout } = context;
  const count = numInJointPass(model.base, args, rows, layout);
  const joint = count > 0 ? reference.run((of) => bothLogProbs(of, packJointPass(of, { rows, count }, layout))) : [];
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
