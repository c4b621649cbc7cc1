import { dpoLoss, wpoWeights } from "@kto/losses";
import { concat, mean, type Tensor } from "@kto/tensor";
import { lossTypesOf, lossWeightsOf, type DPOConfig } from "../config/dpo-config.js";
import { shuffleSeedOf } from "../config/order-fields.js";
import { sharesPrompts } from "../config/shared-prompt-fields.js";
import type { BackwardPass, Method, MethodContext } from "../loop/method.js";
import { inPassesOf, type PassOptions } from "../memory/passes.js";
import { answerLengths, answersOf, meanChosenLength, sidesOf } from "../pairs/pair-answers.js";
import { pairScores } from "../pairs/pair-scores.js";
import { preparePairDataset, type PairRow, type PreparedPairDataset } from "../pairs/prepare-pair-dataset.js";
import type { ScoredRow } from "../data/rows.js";
import type { ReferenceKind } from "../scoring/reference.js";
import { policyPass, sendBack } from "../scoring/policy-pass.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import { dpoMicroBatchMetrics } from "./dpo-metrics.js";
import { precomputeReference } from "./precompute-reference.js";
import { tokenWeights } from "./token-weights.js";

/** DPO and its kin as the loop trains them. `reference` defaults to the adapter as the run finds it. */
export function dpoMethod(args: DPOConfig, reference: ReferenceKind = "initial"): Method<PairRow, PreparedPairDataset> {
  const { perDeviceTrainBatchSize, ldAlpha } = args;
  // Losses of sorted differences are of the whole micro-batch, which then goes through in one pass; others are sums over pairs.
  const isWhole = lossTypesOf(args).some((name) => name === "aot" || name === "aot_unpaired");
  const units = (pairs: readonly PairRow[]): (readonly PairRow[])[] => (isWhole ? [pairs] : pairs.map((pair) => [pair]));
  const answers = (pairs: readonly PairRow[]): ScoredRow[] => answersOf(pairs, sharesPrompts(args));
  return {
    name: "dpo",
    reference,
    shuffleSeed: shuffleSeedOf(args),
    prepare: preparePairDataset,
    passes: (pairs) => [units(pairs).map(answers)],
    ...(args.precomputeRefLogProbs && {
      precompute: (context, pairs, options) =>
        precomputeReference(context, pairs, {
          ...options,
          answers,
          sharesPrompts: sharesPrompts(args),
          ldAlpha,
          batchSize: args.precomputeRefBatchSize ?? perDeviceTrainBatchSize,
        }),
    }),
    record: (context, pairs, _before, backwardPass) => {
      const parts = inPassesOf(context, units(pairs), answers, (part, options) =>
        context.model.device.scope("pass", () => pairPass(context, args, { pairs: part.flat(), whole: pairs, ...options }, backwardPass)),
      );
      const joined = (name: keyof PairPass): Tensor => concat(parts.map((part) => part[name]));
      return {
        loss: parts.length === 1 ? parts[0]!.loss : mean(joined("losses")),
        chosenRewards: joined("chosenRewards"),
        rejectedRewards: joined("rejectedRewards"),
        logProbs: joined("logProbs"),
        entropy: joined("entropy"),
        meanLogit: joined("meanLogit"),
        numCorrect: joined("numCorrect"),
      };
    },
    metrics: dpoMicroBatchMetrics,
    scores: ({ chosenRewards, rejectedRewards, logProbs }, pairs) =>
      pairScores(pairs, {
        chosenRewards: chosenRewards!,
        rejectedRewards: rejectedRewards!,
        chosenLogProbs: pairs.map((_, pair) => logProbs![2 * pair]!),
        rejectedLogProbs: pairs.map((_, pair) => logProbs![2 * pair + 1]!),
      }),
  };
}

interface PairPass {
  /** [] f32 */
  loss: Tensor;
  /** [b] f32 */
  losses: Tensor;
  /** [b] f32 */
  chosenRewards: Tensor;
  /** [b] f32 */
  rejectedRewards: Tensor;
  /** [2b] f32 nats, policy: chosen and rejected of each pair in turn, as below */
  logProbs: Tensor;
  /** [2b] f32: sums over the answer's scored positions */
  entropy: Tensor;
  /** [2b] f32: sums over the answer's scored positions */
  meanLogit: Tensor;
  /** [2b] f32: scored tokens that are the likeliest */
  numCorrect: Tensor;
}

/** Policy and reference on some of a micro-batch's pairs, their losses, and their share of the gradient of the mean over the `whole` of it. */
function pairPass(
  context: MethodContext,
  args: DPOConfig,
  { pairs, whole, ...passOptions }: PassOptions & { pairs: readonly PairRow[]; whole: readonly PairRow[] },
  backwardPass: BackwardPass | undefined,
): PairPass {
  const { device, base } = context.model;
  const { beta, labelSmoothing, discopopTau, fDivergenceType, fAlphaDivergenceCoef } = args;
  const batch = packScoredBatch(base, answersOf(pairs, sharesPrompts(args)), passOptions);
  const ldWeights = tokenWeights(pairs, args.ldAlpha);
  const refLogProbs = precomputed(device, pairs) ?? context.reference.run((model) => scoreBatch(model, batch, ldWeights).logProbs); // [2b]
  const policy = policyPass(context, backwardPass, (gradientCheckpointing) =>
    scoreBatch(base, batch, { ...ldWeights, gradientCheckpointing, metrics: true, accuracy: true, aligned: args.useWeighting }),
  );
  const [policyChosenLogProbs, policyRejectedLogProbs] = sidesOf(policy.logProbs); // [b] each
  const [refChosenLogProbs, refRejectedLogProbs] = sidesOf(refLogProbs); // [b] each
  const chosenLengths = answerLengths(device, pairs, "chosen"); // [b]
  const rejectedLengths = answerLengths(device, pairs, "rejected"); // [b]
  const { loss, losses, chosenRewards, rejectedRewards } = dpoLoss({
    policyChosenLogProbs,
    policyRejectedLogProbs,
    refChosenLogProbs,
    refRejectedLogProbs,
    chosenLengths,
    rejectedLengths,
    weights: policy.alignedLogProbs && weightsOf(policy.alignedLogProbs, { chosenLengths, rejectedLengths }),
    meanChosenLength: meanChosenLength(whole),
    lossType: lossTypesOf(args),
    lossWeights: lossWeightsOf(args),
    beta,
    labelSmoothing,
    discopopTau,
    fDivergenceType,
    fAlphaDivergenceCoef,
  });
  sendBack(loss, { numRows: pairs.length, numWhole: whole.length }, backwardPass);
  return {
    loss: loss.detach(),
    losses: losses.detach(),
    chosenRewards,
    rejectedRewards,
    logProbs: policy.logProbs.detach(),
    entropy: policy.entropy!,
    meanLogit: policy.meanLogit!,
    numCorrect: policy.numCorrect!,
  };
}

/** [b] f32: what WPO weighs each pair by. */
function weightsOf(alignedLogProbs: Tensor, lengths: { chosenLengths: Tensor; rejectedLengths: Tensor }): Tensor {
  const [chosenAlignedLogProbs, rejectedAlignedLogProbs] = sidesOf(alignedLogProbs); // [b] each
  return wpoWeights({ chosenAlignedLogProbs, rejectedAlignedLogProbs, ...lengths });
}

/** [2 · numPairs] f32: what was computed beforehand of every pair; undefined if it was not. */
function precomputed(device: MethodContext["model"]["device"], pairs: readonly PairRow[]): Tensor | undefined {
  const values = pairs.flatMap(({ refChosenLogProb, refRejectedLogProb }) => [refChosenLogProb, refRejectedLogProb]);
  if (values.includes(undefined)) return undefined;
  return device.tensor(values as number[], [values.length], "f32", "reference log-probs");
}
