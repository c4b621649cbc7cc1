import type { PeftModel } from "@kto/lora";
import { ktoLoss } from "@kto/losses";
import { backward, type Gradients, type Tensor } from "@kto/tensor";
import type { KTOConfig } from "./args.js";
import type { CausalLM } from "./causal-lm.js";
import type { KtoRow } from "./data/index.js";
import type { Reference } from "./reference.js";
import { sequenceLogProbs } from "./sequence-log-probs.js";

/** A row with what the reference said of it, if that was computed beforehand. */
export interface TrainingRow extends KtoRow {
  refLogProb?: number;
  refKlLogProb?: number;
}

/** Everything a micro-batch needs besides its rows. */
export interface KtoContext {
  model: PeftModel<CausalLM>;
  reference: Reference;
  args: KTOConfig;
}

/** What a micro-batch leaves on the device until the log asks for it, and what the host knows of it. */
export interface KtoMicroBatchResult {
  /** [] f32 */
  loss: Tensor;
  /** [] f32; undefined where the loss has no KL estimate */
  kl: Tensor | undefined;
  /** [B] f32 */
  rewards: Tensor;
  /** [B] f32 nats, policy */
  logProbs: Tensor;
  /** [B] f32: sums over the row's scored positions */
  entropy: Tensor;
  /** [B] f32: sums over the row's scored positions */
  meanLogit: Tensor;
  labels: boolean[];
  numScored: number[];
  /** Tokens of the matched rows. */
  numTokens: number;
  /** Tokens of the matched rows with padding to the longest, as trl counts floating-point operations. */
  numPaddedTokens: number;
  sourceIndices: number[];
}

/**
 * The passes and the loss of one micro-batch. The gradient flows through the policy on the matched rows only; the other passes come first, so that
 * none of them runs while that one's activations are kept.
 *
 * @param gradientScale  gradients come out multiplied by it; undefined for no backward pass (evaluation)
 */
export function ktoMicroBatch(
  context: KtoContext,
  rows: readonly TrainingRow[],
  gradientScale?: number,
): { result: KtoMicroBatchResult; gradients: Gradients | undefined } {
  const { model, args } = context;
  const { device } = model;
  const { maxLength, beta, desirableWeight, undesirableWeight, lossType } = args;
  let gradients: Gradients | undefined;
  const result = device.scope("ktoMicroBatch", (): KtoMicroBatchResult => {
    const mismatched = rows.map(({ promptIds, klCompletionIds }) => ({ promptIds, completionIds: klCompletionIds ?? [] }));
    const kl = lossType === "kto" ? klPasses(context, rows, mismatched) : {};
    const refLogProbs =
      precomputed(context, rows, "refLogProb") ?? context.reference.run(() => sequenceLogProbs(model.base, rows, { maxLength }).logProbs);
    const policyPass = (): ReturnType<typeof sequenceLogProbs> =>
      sequenceLogProbs(model.base, rows, {
        maxLength,
        gradientCheckpointing: args.gradientCheckpointing && gradientScale !== undefined,
        metrics: true,
      });
    const policy = gradientScale === undefined ? device.noGrad(policyPass) : policyPass();
    const labels = device.tensor(
      rows.map(({ label }) => (label ? 1 : 0)),
      [rows.length],
      "f32",
      "labels",
    ); // [B]
    const {
      loss,
      rewards,
      kl: klValue,
    } = ktoLoss({ policyLogProbs: policy.logProbs, refLogProbs, ...kl, labels, beta, desirableWeight, undesirableWeight, lossType });
    if (gradientScale !== undefined && loss.node) gradients = backward(loss, { scale: gradientScale });
    return {
      loss: loss.detach(),
      kl: klValue,
      rewards,
      logProbs: policy.logProbs.detach(),
      entropy: policy.entropy!,
      meanLogit: policy.meanLogit!,
      labels: rows.map(({ label }) => label),
      numScored: policy.numScored,
      numTokens: policy.rowLengths.reduce((total, length) => total + length, 0),
      numPaddedTokens: rows.length * Math.max(...policy.rowLengths),
      sourceIndices: rows.map(({ sourceIndex }) => sourceIndex),
    };
  });
  return { result, gradients };
}

/** Policy and reference on the mismatched rows, without gradients. */
function klPasses(
  context: KtoContext,
  rows: readonly TrainingRow[],
  mismatched: { promptIds: readonly number[]; completionIds: readonly number[] }[],
): { policyKlLogProbs: Tensor; refKlLogProbs: Tensor } {
  const { model, args, reference } = context;
  const pass = (): Tensor => sequenceLogProbs(model.base, mismatched, { maxLength: args.maxLength }).logProbs;
  const policyKlLogProbs = model.device.noGrad(pass); // [B]
  return { policyKlLogProbs, refKlLogProbs: precomputed(context, rows, "refKlLogProb") ?? reference.run(pass) };
}

function precomputed({ model, args }: KtoContext, rows: readonly TrainingRow[], field: "refLogProb" | "refKlLogProb"): Tensor | undefined {
  if (!args.precomputeRefLogProbs || rows.some((row) => row[field] === undefined)) return undefined;
  return model.device.tensor(
    rows.map((row) => row[field]!),
    [rows.length],
    "f32",
    field,
  );
}

/** Computes the reference's log-probabilities of all rows beforehand, in batches of `batchSize`. */
export async function precomputeReference(
  { model, args, reference }: KtoContext,
  rows: readonly KtoRow[],
  { batchSize, signal, onProgress }: { batchSize: number; signal?: AbortSignal; onProgress?(done: number): void },
): Promise<TrainingRow[]> {
  const { device } = model;
  const done: TrainingRow[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    signal?.throwIfAborted();
    const batch = rows.slice(start, start + batchSize);
    const tensors = device.scope("precomputeReference", () =>
      reference.run(() => [
        sequenceLogProbs(model.base, batch, { maxLength: args.maxLength }).logProbs,
        ...(args.lossType === "kto"
          ? [
              sequenceLogProbs(
                model.base,
                batch.map(({ promptIds, klCompletionIds }) => ({ promptIds, completionIds: klCompletionIds ?? [] })),
                { maxLength: args.maxLength },
              ).logProbs,
            ]
          : []),
      ]),
    );
    const [matched, mismatched] = await device.readAll(tensors);
    for (const tensor of tensors) tensor.dispose();
    batch.forEach((row, index) =>
      done.push({ ...row, refLogProb: matched![index]!, ...(mismatched ? { refKlLogProb: mismatched[index]! } : {}) }),
    );
    onProgress?.(done.length);
  }
  return done;
}
