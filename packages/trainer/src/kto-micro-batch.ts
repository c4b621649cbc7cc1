import type { PeftModel } from "@kto/lora";
import { ktoLoss } from "@kto/losses";
import { backward, concat, mean, type CausalLM, type GradientSink, type Tensor } from "@kto/tensor";
import type { KTOConfig } from "./config/kto-config.js";
import type { KtoRow } from "./data/index.js";
import { passCapacity, passSize, splitIntoPasses, type PassSize } from "./passes.js";
import type { Reference } from "./reference.js";
import { sequenceLogProbs, type ScoredRow } from "./sequence-log-probs.js";

/** A row with what the reference said of it, if that was computed beforehand. */
export interface TrainingRow extends KtoRow {
  refLogProb?: number;
  refKlLogProb?: number;
}

/** How a micro-batch is laid out in time to fit into memory; results do not depend on it, but for the order of f32 sums. */
export interface PassLayout {
  /** The first so many decoder layers are run again on the way back instead of keeping their activations. */
  checkpointedLayers: number;
  /** Rows of a micro-batch go through the model in several passes if they have more tokens than this together. */
  tokensPerPass: number;
  /** Passes of all sizes take the memory of this one, so that all of them find the buffers of the first. */
  largestPass?: PassSize;
}

/** Everything a micro-batch needs besides its rows. */
export interface KtoContext {
  model: PeftModel<CausalLM>;
  reference: Reference;
  args: KTOConfig;
  layout: PassLayout;
}

/** What a backward pass is given. */
export interface BackwardPass {
  /** Gradients come out multiplied by it. */
  scale: number;
  sink: GradientSink;
  /** Called after each forward pass whose activations are kept. */
  onForward?(): void;
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
 * The passes and the loss of one micro-batch. The gradient flows through the policy on the matched rows only; the KL estimate, a constant of the
 * whole micro-batch, comes first, so that nothing else runs while activations are kept.
 *
 * @param backwardPass  undefined for a loss without gradients (evaluation)
 */
export function ktoMicroBatch(context: KtoContext, rows: readonly TrainingRow[], backwardPass?: BackwardPass): KtoMicroBatchResult {
  const { device } = context.model;
  return device.scope("ktoMicroBatch", (): KtoMicroBatchResult => {
    const kl = context.args.lossType === "kto" ? klPasses(context, rows) : {};
    const parts = inPasses(context, rows, (part) => device.scope("pass", () => matchedPass(context, part, kl, rows.length, backwardPass)));
    const joined = (field: "losses" | "rewards" | "logProbs" | "entropy" | "meanLogit"): Tensor => concat(parts.map((part) => part[field]));
    const rowLengths = parts.flatMap((part) => part.rowLengths);
    return {
      loss: parts.length === 1 ? parts[0]!.loss : mean(joined("losses")),
      kl: parts[0]!.kl,
      rewards: joined("rewards"),
      logProbs: joined("logProbs"),
      entropy: joined("entropy"),
      meanLogit: joined("meanLogit"),
      labels: rows.map(({ label }) => label),
      numScored: parts.flatMap((part) => part.numScored),
      numTokens: rowLengths.reduce((total, length) => total + length, 0),
      numPaddedTokens: rows.length * Math.max(...rowLengths),
      sourceIndices: rows.map(({ sourceIndex }) => sourceIndex),
    };
  });
}

interface KlLogProbs {
  policyKlLogProbs?: Tensor;
  refKlLogProbs?: Tensor;
}

interface MatchedPass {
  loss: Tensor;
  losses: Tensor;
  kl: Tensor | undefined;
  rewards: Tensor;
  logProbs: Tensor;
  entropy: Tensor;
  meanLogit: Tensor;
  numScored: number[];
  rowLengths: number[];
}

/** Reference and policy on some of a micro-batch's rows, their losses, and their share of the gradient of the mean over all `numRows`. */
function matchedPass(
  context: KtoContext,
  rows: readonly TrainingRow[],
  kl: KlLogProbs,
  numRows: number,
  backwardPass: BackwardPass | undefined,
): MatchedPass {
  const { model, args, layout } = context;
  const { device } = model;
  const { maxLength, beta, desirableWeight, undesirableWeight, lossType } = args;
  const refLogProbs =
    precomputed(context, rows, "refLogProb") ?? context.reference.run(() => sequenceLogProbs(model.base, rows, { maxLength }).logProbs);
  const policyPass = (): ReturnType<typeof sequenceLogProbs> =>
    sequenceLogProbs(model.base, rows, { maxLength, gradientCheckpointing: backwardPass ? layout.checkpointedLayers : 0, metrics: true });
  const policy = backwardPass ? policyPass() : device.noGrad(policyPass);
  backwardPass?.onForward?.();
  const labels = device.tensor(
    rows.map(({ label }) => (label ? 1 : 0)),
    [rows.length],
    "f32",
    "labels",
  ); // [b]
  const result = ktoLoss({
    policyLogProbs: policy.logProbs,
    refLogProbs,
    ...kl,
    labels,
    beta,
    desirableWeight,
    undesirableWeight,
    lossType,
  });
  if (backwardPass && result.loss.node) {
    backward(result.loss, { scale: (backwardPass.scale * rows.length) / numRows, sink: backwardPass.sink }).dispose();
  }
  return {
    loss: result.loss.detach(),
    losses: result.losses.detach(),
    kl: result.kl,
    rewards: result.rewards,
    logProbs: policy.logProbs.detach(),
    entropy: policy.entropy!,
    meanLogit: policy.meanLogit!,
    numScored: policy.numScored,
    rowLengths: policy.rowLengths,
  };
}

/** Policy and reference on the mismatched rows, without gradients. */
function klPasses(context: KtoContext, rows: readonly TrainingRow[]): KlLogProbs {
  const { model, reference } = context;
  const pass = (): Tensor => logProbsInPasses(context, rows.map(mismatched));
  const policyKlLogProbs = model.device.noGrad(pass); // [B]
  return { policyKlLogProbs, refKlLogProbs: precomputed(context, rows, "refKlLogProb") ?? reference.run(pass) };
}

/** [numRows] f32: log-probabilities of rows without gradients, in as many passes as the layout asks for. */
function logProbsInPasses(context: KtoContext, rows: readonly ScoredRow[]): Tensor {
  const { model, args } = context;
  return concat(inPasses(context, rows, (part) => sequenceLogProbs(model.base, part, { maxLength: args.maxLength }).logProbs));
}

/** Runs `pass` on as many parts of the rows as the layout asks for: each with the memory of the largest, and with the dropout it has in the whole. */
function inPasses<Row extends ScoredRow, T>(
  { model, args: { maxLength }, layout }: KtoContext,
  rows: readonly Row[],
  pass: (part: Row[]) => T,
): T[] {
  let firstToken = 0;
  return splitIntoPasses(rows, maxLength, layout.tokensPerPass).map((part) => {
    const capacity = passCapacity(part, maxLength, layout.largestPass);
    const result = model.device.withRowCapacity(capacity, () => model.withDropoutFrom(firstToken, () => pass(part)));
    firstToken += passSize(part, maxLength).numTokens;
    return result;
  });
}

/** A row's prompt with the completion of another row. */
export function mismatched({ promptIds, klCompletionIds }: KtoRow): ScoredRow {
  return { promptIds, completionIds: klCompletionIds ?? [] };
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
  context: KtoContext,
  rows: readonly KtoRow[],
  { batchSize, signal, onProgress }: { batchSize: number; signal?: AbortSignal; onProgress?(done: number): void },
): Promise<TrainingRow[]> {
  const { model, args, reference } = context;
  const { device } = model;
  const done: TrainingRow[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    signal?.throwIfAborted();
    const batch = rows.slice(start, start + batchSize);
    const tensors = device.scope("precomputeReference", () =>
      reference.run(() => [
        logProbsInPasses(context, batch),
        ...(args.lossType === "kto" ? [logProbsInPasses(context, batch.map(mismatched))] : []),
      ]),
    );
    const [ofMatched, ofMismatched] = await device.readAll(tensors);
    for (const tensor of tensors) tensor.dispose();
    batch.forEach((row, index) =>
      done.push({ ...row, refLogProb: ofMatched![index]!, ...(ofMismatched ? { refKlLogProb: ofMismatched[index]! } : {}) }),
    );
    onProgress?.(done.length);
  }
  return done;
}
