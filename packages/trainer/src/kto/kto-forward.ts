import { concat, type CausalLM, type Tensor } from "@kto/tensor";
import type { BackwardPass, MethodContext } from "../loop/method.js";
import { inPasses, type PassOptions, type PassSize } from "../memory/passes.js";
import { policyPass } from "../scoring/policy-pass.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch, type ScoredBatch } from "../scoring/scored-batch.js";
import { packJointPass } from "./joint-pass.js";
import { mismatched, type KtoRow } from "./prepare-kto-dataset.js";

/** What the loss of matched rows is made of. */
export type MatchedForward = {
  /** [b] f32 nats, policy, on the tape */
  logProbs: Tensor;
  /** [b] f32 nats */
  refLogProbs: Tensor;
  /** [b] f32: sums over the row's scored positions */
  entropy: Tensor;
  /** [b] f32: sums over the row's scored positions */
  meanLogit: Tensor;
};

/** Log-probabilities of mismatched rows, without gradient, [b] f32 nats each. */
export type KlForward = { policyKlLogProbs: Tensor; refKlLogProbs: Tensor };

/** Policy and reference on some matched rows of a micro-batch. */
export function matchedForward(
  context: MethodContext,
  rows: readonly KtoRow[],
  options: PassOptions,
  backwardPass: Pick<BackwardPass, "onForward"> | undefined,
): MatchedForward {
  const batch = packScoredBatch(context.model.base, rows, options);
  const refLogProbs = knownBeforehand(context, rows, "refLogProb") ?? context.reference.run((model) => scoreBatch(model, batch).logProbs);
  const { logProbs, entropy, meanLogit } = trainedPass(context, batch, backwardPass);
  return { logProbs, refLogProbs, entropy: entropy!, meanLogit: meanLogit! };
}

/** Policy and reference on the first `count` rows of a micro-batch and their mismatched ones, in one pass each. */
export function jointForward(
  context: MethodContext,
  { rows, count }: { rows: readonly KtoRow[]; count: number },
  backwardPass: Pick<BackwardPass, "onForward"> | undefined,
): { matched: MatchedForward; kl: KlForward } {
  const { model, layout } = context;
  return model.device.scope("joint pass", () => {
    const batch = packJointPass(model.base, { rows, count }, layout);
    const first = rows.slice(0, count);
    const known = [knownBeforehand(context, first, "refLogProb"), knownBeforehand(context, first, "refKlLogProb")];
    const [refLogProbs, refKlLogProbs] = known.every((tensor) => tensor !== undefined)
      ? known
      : context.reference.run((of) => bothLogProbs(of, batch));
    const { logProbs, entropy, meanLogit, alongsideLogProbs } = trainedPass(context, batch, backwardPass);
    return {
      matched: { logProbs, refLogProbs: refLogProbs!, entropy: entropy!, meanLogit: meanLogit! },
      kl: { policyKlLogProbs: alongsideLogProbs!, refKlLogProbs: refKlLogProbs! },
    };
  });
}

/**
 * Policy and reference on some mismatched rows, without gradients.
 *
 * @param whole  the micro-batch that the rows are a part of
 */
export function mismatchedForward(context: MethodContext, rows: readonly KtoRow[], whole: readonly KtoRow[]): KlForward {
  const { model, reference } = context;
  const known = knownBeforehand(context, rows, "refKlLogProb");
  const parts = inPasses(
    context,
    rows.map(mismatched),
    (part, options) =>
      model.device.scope("KL pass", () => {
        const batch = packScoredBatch(model.base, part, { ...options, largestPass: largestWithoutGradients(context.layout) });
        const pass = (of: CausalLM): Tensor => scoreBatch(of, batch).logProbs; // [b]
        return { policy: model.device.noGrad(() => pass(model.base)), reference: known ? undefined : reference.run(pass) };
      }),
    whole.map(mismatched),
  );
  return {
    policyKlLogProbs: concat(parts.map(({ policy }) => policy)),
    refKlLogProbs: known ?? concat(parts.map((part) => part.reference!)),
  };
}

/** The largest pass without gradients, a joint one's way there included: these come before it, and what is large enough for it serves both. */
function largestWithoutGradients({ largestPass, largestJoint }: MethodContext["layout"]): PassSize | undefined {
  return largestPass && { ...largestPass, numTokens: Math.max(largestPass.numTokens, largestJoint?.numTokens ?? 0) };
}

/** [b] f32 nats each: log-probabilities of the rows of a joint pass, and of those that go along. */
export function bothLogProbs(model: CausalLM, batch: ScoredBatch): [matched: Tensor, mismatched: Tensor] {
  const { logProbs, alongsideLogProbs } = scoreBatch(model, batch);
  return [logProbs, alongsideLogProbs!];
}

function trainedPass(
  context: MethodContext,
  batch: ScoredBatch,
  backwardPass: Pick<BackwardPass, "onForward"> | undefined,
): ReturnType<typeof scoreBatch> {
  return policyPass(context, backwardPass, (gradientCheckpointing) =>
    scoreBatch(context.model.base, batch, { gradientCheckpointing, metrics: true }),
  );
}

/** [numRows] f32: what was computed beforehand of every row; undefined if it was not. */
function knownBeforehand(
  { model: { device } }: MethodContext,
  rows: readonly KtoRow[],
  field: "refLogProb" | "refKlLogProb",
): Tensor | undefined {
  if (rows.some((row) => row[field] === undefined)) return undefined;
  return device.tensor(
    rows.map((row) => row[field]!),
    [rows.length],
    "f32",
    field,
  );
}
