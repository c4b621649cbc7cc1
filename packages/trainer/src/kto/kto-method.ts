import { ktoLoss } from "@kto/losses";
import { concat, mean, type Device, type Tensor } from "@kto/tensor";
import type { KTOConfig } from "../config/kto-config.js";
import { sharesPrompts } from "../config/shared-prompt-fields.js";
import type { BackwardPass, BackwardPassTogether, BeforeLoss, Method, MethodContext } from "../loop/method.js";
import { inPasses, longestRowOf } from "../memory/passes.js";
import { numScoredTokens } from "../data/rows.js";
import { lossesTogether } from "../scoring/losses-together.js";
import type { ReferenceKind } from "../scoring/reference.js";
import { sendBack } from "../scoring/policy-pass.js";
import { numInJointPass, sizesAlongside } from "./joint-pass.js";
import { jointForward, matchedForward, mismatchedForward, type KlForward, type MatchedForward } from "./kto-forward.js";
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
      const part = (rowsOfPart: readonly KtoRow[], matched: () => MatchedForward): LossOfRows =>
        device.scope("pass", () => {
          const { loss, ...others } = lossOfRows(device, args, rowsOfPart, { ...matched(), ...statistics });
          sendBack(loss, { numRows: rowsOfPart.length, numWhole: rows.length }, backwardPass);
          return { ...others, loss: loss.detach() };
        });
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
      const joined = (name: keyof LossOfRows): Tensor => concat(parts.map((each) => each[name]!));
      const [{ loss, kl: klEstimate }] = parts as [LossOfRows];
      return {
        loss: parts.length === 1 ? loss : mean(joined("losses")),
        ...(klEstimate && { kl: klEstimate }),
        rewards: joined("rewards"),
        logProbs: joined("logProbs"),
        entropy: joined("entropy"),
        meanLogit: joined("meanLogit"),
      };
    },
    ...((!hasKl || sharesPrompts(args)) && {
      recordTogether: (context, microBatches, backwardPass) =>
        lossesTogether(
          {
            device: context.model.device,
            microBatches,
            forward: forwardTogether(context, microBatches.flat(), { hasKl, backwardPass }),
            countOf: (rows) => rows.length,
            lossOf: (rows, forward) => {
              const { losses: _, ...recorded } = lossOfRows(context.model.device, args, rows, forward);
              return recorded;
            },
          },
          backwardPass,
        ),
    }),
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

/** Policy and reference on the rows of several micro-batches, and on their mismatched ones where the loss has a KL estimate. */
function forwardTogether(
  context: MethodContext,
  rows: readonly KtoRow[],
  { hasKl, backwardPass }: { hasKl: boolean; backwardPass: BackwardPassTogether },
): MatchedForward & Partial<KlForward> {
  const { largestPass } = context.layout;
  if (!hasKl) return matchedForward(context, rows, { largestPass, longestRow: longestRowOf(rows) }, backwardPass);
  const { matched, kl } = jointForward(context, { rows, count: rows.length }, backwardPass);
  return { ...matched, ...kl };
}

type LossOfRows = {
  /** [] f32, on the tape */
  loss: Tensor;
  /** [b] f32 */
  losses: Tensor;
  /** [] f32; absent where the loss has no KL estimate */
  kl?: Tensor;
  /** [b] f32 */
  rewards: Tensor;
  /** [b] f32 nats, policy */
  logProbs: Tensor;
  /** [b] f32: sums over the row's scored positions */
  entropy: Tensor;
  /** [b] f32: sums over the row's scored positions */
  meanLogit: Tensor;
};

/** Losses of the rows of a micro-batch, or of some of them, by the mismatched rows of all of it. */
function lossOfRows(
  device: Device,
  { beta, desirableWeight, undesirableWeight, lossType }: KTOConfig,
  rows: readonly KtoRow[],
  { logProbs, refLogProbs, entropy, meanLogit, policyKlLogProbs, refKlLogProbs }: MatchedForward & Partial<KlForward>,
): LossOfRows {
  const labels = device.tensor(
    rows.map(({ label }) => (label ? 1 : 0)),
    [rows.length],
    "f32",
    "labels",
  ); // [b]
  const result = ktoLoss({
    policyLogProbs: logProbs,
    refLogProbs,
    ...(policyKlLogProbs && refKlLogProbs && { policyKlLogProbs, refKlLogProbs }),
    labels,
    beta,
    desirableWeight,
    undesirableWeight,
    lossType,
  });
  return {
    loss: result.loss,
    losses: result.losses.detach(),
    ...(result.kl && { kl: result.kl }),
    rewards: result.rewards,
    logProbs: logProbs.detach(),
    entropy,
    meanLogit,
  };
}
