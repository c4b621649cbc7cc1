import { ktoLoss } from "@kto/losses";
import { concat, mean, type Tensor } from "@kto/tensor";
import type { KTOConfig } from "../config/kto-config.js";
import type { BackwardPass, BeforeLoss, Method, MethodContext, NamedTensors } from "../loop/method.js";
import { inPasses } from "../memory/passes.js";
import { numScoredTokens } from "../data/rows.js";
import type { ReferenceKind } from "../scoring/reference.js";
import { sendBack } from "../scoring/policy-pass.js";
import { numInJointPass, sizesAlongside } from "./joint-pass.js";
import { jointForward, matchedForward, mismatchedForward, type MatchedForward } from "./kto-forward.js";
import { ktoMicroBatchMetrics } from "./kto-metrics.js";
import { precomputeReference } from "./precompute-reference.js";
import { mismatched, prepareKtoDataset, type KtoRow, type PreparedKtoDataset } from "./prepare-kto-dataset.js";

/** KTO and unpaired APO-zero as the loop trains them. `reference` defaults to the adapter as the run finds it. */
export function ktoMethod(args: KTOConfig, reference: ReferenceKind = "initial"): Method<KtoRow, PreparedKtoDataset> {
  const { lossType, perDeviceTrainBatchSize, desirableWeight, undesirableWeight } = args;
  const hasKl = lossType === "kto";
  return {
    name: "kto",
    reference,
    prepare: (dataset, options) =>
      prepareKtoDataset(dataset, { ...options, perDeviceTrainBatchSize, lossType, desirableWeight, undesirableWeight }),
    passes: (rows) => (hasKl ? [rows, rows.map(mismatched)] : [rows]),
    ...(args.precomputeRefLogProbs && {
      precompute: (context, rows, options) =>
        precomputeReference(context, args, rows, {
          ...options,
          hasKl,
          batchSize: args.precomputeRefBatchSize ?? perDeviceTrainBatchSize,
        }),
    }),
    ...(hasKl && {
      alongside: (model, rows) => sizesAlongside(model, args, rows),
      statistics: (context, rows, backwardPass) => beforeLoss(context, args, rows, backwardPass),
    }),
    record: (context, rows, { statistics, forward }, backwardPass) => {
      const { device } = context.model;
      const part = (rowsOfPart: readonly KtoRow[], matched: () => MatchedForward): LossOfPart =>
        device.scope("pass", () =>
          lossOfPart(context, args, { rows: rowsOfPart, numRows: rows.length, ...matched() }, statistics, backwardPass),
        );
      const count = forward["logProbs"]?.size ?? 0; // rows that went through already
      const parts = [
        ...(count > 0 ? [part(rows.slice(0, count), () => forward as MatchedForward)] : []),
        ...inPasses(
          context,
          rows.slice(count),
          (others, options) => part(others, () => matchedForward(context, others, options, backwardPass)),
          rows,
        ),
      ];
      const joined = (name: keyof LossOfPart): Tensor => concat(parts.map((each) => each[name]!));
      const [{ loss, kl: klEstimate }] = parts as [LossOfPart];
      return {
        loss: parts.length === 1 ? loss : mean(joined("losses")),
        ...(klEstimate && { kl: klEstimate }),
        rewards: joined("rewards"),
        logProbs: joined("logProbs"),
        entropy: joined("entropy"),
        meanLogit: joined("meanLogit"),
      };
    },
    metrics: ktoMicroBatchMetrics,
    scores: ({ logProbs, rewards }, rows) =>
      rows.map((row, index) => ({
        sourceIndex: row.sourceIndex,
        label: row.label,
        logProb: logProbs![index]!,
        numTokens: numScoredTokens(row),
        reward: rewards![index]!,
      })),
  };
}

/**
 * The mismatched rows of a micro-batch. Those of its first pass go through this one with the matched rows, where they go together; those of other passes by
 * themselves and before it, so that nothing else runs while activations are kept.
 */
function beforeLoss(context: MethodContext, args: KTOConfig, rows: readonly KtoRow[], backwardPass: BackwardPass | undefined): BeforeLoss {
  const count = numInJointPass(context.model.base, args, rows, context.layout);
  const others = count < rows.length ? mismatchedForward(context, rows.slice(count), rows) : undefined;
  if (count === 0) return { statistics: others!, forward: {} };
  const { matched, kl } = jointForward(context, { rows, count }, backwardPass);
  if (!others) return { statistics: kl, forward: matched };
  return {
    statistics: {
      policyKlLogProbs: concat([kl.policyKlLogProbs, others.policyKlLogProbs]), // [B]
      refKlLogProbs: concat([kl.refKlLogProbs, others.refKlLogProbs]), // [B]
    },
    forward: matched,
  };
}

interface LossOfPart {
  /** [] f32 */
  loss: Tensor;
  /** [b] f32 */
  losses: Tensor;
  /** [] f32; undefined where the loss has no KL estimate */
  kl: Tensor | undefined;
  /** [b] f32 */
  rewards: Tensor;
  /** [b] f32 nats, policy */
  logProbs: Tensor;
  /** [b] f32: sums over the row's scored positions */
  entropy: Tensor;
  /** [b] f32: sums over the row's scored positions */
  meanLogit: Tensor;
}

/** Losses of some of a micro-batch's rows, and their share of the gradient of the mean over all `numRows`. */
function lossOfPart(
  { model: { device } }: MethodContext,
  { beta, desirableWeight, undesirableWeight, lossType }: KTOConfig,
  { rows, numRows, logProbs, refLogProbs, entropy, meanLogit }: MatchedForward & { rows: readonly KtoRow[]; numRows: number },
  kl: NamedTensors,
  backwardPass: BackwardPass | undefined,
): LossOfPart {
  const labels = device.tensor(
    rows.map(({ label }) => (label ? 1 : 0)),
    [rows.length],
    "f32",
    "labels",
  ); // [b]
  const result = ktoLoss({
    policyLogProbs: logProbs,
    refLogProbs,
    ...(kl as { policyKlLogProbs?: Tensor; refKlLogProbs?: Tensor }),
    labels,
    beta,
    desirableWeight,
    undesirableWeight,
    lossType,
  });
  sendBack(result.loss, { numRows: rows.length, numWhole: numRows }, backwardPass);
  return {
    loss: result.loss.detach(),
    losses: result.losses.detach(),
    kl: result.kl,
    rewards: result.rewards,
    logProbs: logProbs.detach(),
    entropy,
    meanLogit,
  };
}
