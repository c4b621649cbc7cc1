import { ktoLoss } from "@kto/losses";
import { concat, mean, type CausalLM, type Tensor } from "@kto/tensor";
import type { KTOConfig } from "../config/kto-config.js";
import type { BackwardPass, Method, MethodContext, NamedTensors } from "../loop/method.js";
import { inPasses, type PassOptions } from "../memory/passes.js";
import { numScoredTokens, type ScoredRow } from "../data/rows.js";
import type { ReferenceKind } from "../scoring/reference.js";
import { policyPass, sendBack } from "../scoring/policy-pass.js";
import { scoreBatch } from "../scoring/score-batch.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
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
        precomputeReference(context, rows, { ...options, hasKl, batchSize: args.precomputeRefBatchSize ?? perDeviceTrainBatchSize }),
    }),
    ...(hasKl && { statistics: klLogProbs }),
    record: (context, rows, kl, backwardPass) => {
      const parts = inPasses(context, rows, (part, options) =>
        context.model.device.scope("pass", () =>
          matchedPass(context, args, { rows: part, numRows: rows.length, ...options }, kl, backwardPass),
        ),
      );
      const joined = (name: keyof MatchedPass): Tensor => concat(parts.map((part) => part[name]!));
      const [{ loss, kl: klEstimate }] = parts as [MatchedPass];
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

interface MatchedPass {
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

/** Reference and policy on some of a micro-batch's rows, their losses, and their share of the gradient of the mean over all `numRows`. */
function matchedPass(
  context: MethodContext,
  { beta, desirableWeight, undesirableWeight, lossType }: KTOConfig,
  { rows, numRows, ...passOptions }: PassOptions & { rows: readonly KtoRow[]; numRows: number },
  kl: NamedTensors,
  backwardPass: BackwardPass | undefined,
): MatchedPass {
  const { device, base } = context.model;
  const batch = packScoredBatch(base, rows, passOptions);
  const refLogProbs = precomputed(device, rows, "refLogProb") ?? context.reference.run((model) => scoreBatch(model, batch).logProbs);
  const policy = policyPass(context, backwardPass, (gradientCheckpointing) =>
    scoreBatch(base, batch, { gradientCheckpointing, metrics: true }),
  );
  const labels = device.tensor(
    rows.map(({ label }) => (label ? 1 : 0)),
    [rows.length],
    "f32",
    "labels",
  ); // [b]
  const result = ktoLoss({
    policyLogProbs: policy.logProbs,
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
    logProbs: policy.logProbs.detach(),
    entropy: policy.entropy!,
    meanLogit: policy.meanLogit!,
  };
}

/** Policy and reference on the mismatched rows, without gradients. */
function klLogProbs(context: MethodContext, rows: readonly KtoRow[]): NamedTensors {
  const { model, reference, layout } = context;
  const known = precomputed(model.device, rows, "refKlLogProb");
  const parts = inPasses({ model, layout }, rows.map(mismatched), (part: ScoredRow[], options) =>
    model.device.scope("KL pass", () => {
      const batch = packScoredBatch(model.base, part, options);
      const pass = (of: CausalLM): Tensor => scoreBatch(of, batch).logProbs; // [b]
      return { policy: model.device.noGrad(() => pass(model.base)), reference: known ? undefined : reference.run(pass) };
    }),
  );
  return {
    policyKlLogProbs: concat(parts.map(({ policy }) => policy)), // [B]
    refKlLogProbs: known ?? concat(parts.map((part) => part.reference!)), // [B]
  };
}

/** [numRows] f32: what was computed beforehand of every row; undefined if it was not. */
function precomputed(
  device: MethodContext["model"]["device"],
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
