import { dpoLoss, wpoWeights } from "@kto/losses";
import { concat, mean, type Device, type Tensor } from "@kto/tensor";
import { lossTypesOf, lossWeightsOf, type DPOConfig } from "../config/dpo-config.js";
import { shuffleSeedOf } from "../config/order-fields.js";
import { sharesPrompts } from "../config/shared-prompt-fields.js";
import type { BackwardPass, Method, MethodContext } from "../loop/method.js";
import { inPassesOf, longestRowOf, type PassOptions } from "../memory/passes.js";
import { answerLengths, answersOf, meanChosenLength, sidesOf } from "../pairs/pair-answers.js";
import { pairScores } from "../pairs/pair-scores.js";
import { preparePairDataset, type PairRow, type PreparedPairDataset } from "../pairs/prepare-pair-dataset.js";
import type { ScoredRow } from "../data/rows.js";
import { lossesTogether } from "../scoring/losses-together.js";
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
        context.model.device.scope("pass", () => {
          const some = part.flat();
          const forward = pairForward(context, args, { pairs: some, ...options }, backwardPass);
          const { loss, ...others } = lossOfPairs(context.model.device, args, { pairs: some, whole: pairs }, forward);
          sendBack(loss, { numRows: some.length, numWhole: pairs.length }, backwardPass);
          return { ...others, loss: loss.detach() };
        }),
      );
      const joined = (name: keyof LossOfPairs): Tensor => concat(parts.map((part) => part[name]));
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
    recordTogether: (context, microBatches, backwardPass) => {
      const pairs = microBatches.flat();
      const options = { largestPass: context.layout.largestPass, longestRow: longestRowOf(answers(pairs)) };
      return lossesTogether(
        {
          device: context.model.device,
          microBatches,
          forward: pairForward(context, args, { pairs, ...options }, backwardPass),
          countOf: (some) => 2 * some.length,
          lossOf: (some, forward) => {
            const { losses: _, ...recorded } = lossOfPairs(context.model.device, args, { pairs: some, whole: some }, forward);
            return recorded;
          },
        },
        backwardPass,
      );
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

/** What the losses of pairs are made of: for the chosen and the rejected answer of each in turn. */
type PairForward = {
  /** [2b] f32 nats, policy, on the tape */
  logProbs: Tensor;
  /** [2b] f32 nats */
  refLogProbs: Tensor;
  /** [2b] f32: sums over the answer's scored positions */
  entropy: Tensor;
  /** [2b] f32: sums over the answer's scored positions */
  meanLogit: Tensor;
  /** [2b] f32: scored tokens that are the likeliest */
  numCorrect: Tensor;
  /** [2b] f32 nats, see `Scores`; where pairs are weighed by it */
  alignedLogProbs?: Tensor;
};

/** Policy and reference on some pairs. */
function pairForward(
  context: MethodContext,
  args: DPOConfig,
  { pairs, ...passOptions }: PassOptions & { pairs: readonly PairRow[] },
  backwardPass: Pick<BackwardPass, "onForward"> | undefined,
): PairForward {
  const { device, base } = context.model;
  const batch = packScoredBatch(base, answersOf(pairs, sharesPrompts(args)), passOptions);
  const ldWeights = tokenWeights(pairs, args.ldAlpha);
  const refLogProbs = precomputed(device, pairs) ?? context.reference.run((model) => scoreBatch(model, batch, ldWeights).logProbs); // [2b]
  const { logProbs, entropy, meanLogit, numCorrect, alignedLogProbs } = policyPass(context, backwardPass, (gradientCheckpointing) =>
    scoreBatch(base, batch, { ...ldWeights, gradientCheckpointing, metrics: true, accuracy: true, aligned: args.useWeighting }),
  );
  return {
    logProbs,
    refLogProbs,
    entropy: entropy!,
    meanLogit: meanLogit!,
    numCorrect: numCorrect!,
    ...(alignedLogProbs && { alignedLogProbs }),
  };
}

type LossOfPairs = Pick<PairForward, "logProbs" | "entropy" | "meanLogit" | "numCorrect"> & {
  /** [] f32, on the tape */
  loss: Tensor;
  /** [b] f32 */
  losses: Tensor;
  /** [b] f32 */
  chosenRewards: Tensor;
  /** [b] f32 */
  rejectedRewards: Tensor;
};

/** Losses of a micro-batch's pairs, or of some of the `whole` of it. */
function lossOfPairs(
  device: Device,
  args: DPOConfig,
  { pairs, whole }: { pairs: readonly PairRow[]; whole: readonly PairRow[] },
  { refLogProbs, alignedLogProbs, logProbs, ...others }: PairForward,
): LossOfPairs {
  const { beta, labelSmoothing, discopopTau, fDivergenceType, fAlphaDivergenceCoef } = args;
  const [policyChosenLogProbs, policyRejectedLogProbs] = sidesOf(logProbs); // [b] each
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
    weights: alignedLogProbs && weightsOf(alignedLogProbs, { chosenLengths, rejectedLengths }),
    meanChosenLength: meanChosenLength(whole),
    lossType: lossTypesOf(args),
    lossWeights: lossWeightsOf(args),
    beta,
    labelSmoothing,
    discopopTau,
    fDivergenceType,
    fAlphaDivergenceCoef,
  });
  return { ...others, loss, losses: losses.detach(), chosenRewards, rejectedRewards, logProbs: logProbs.detach() };
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
