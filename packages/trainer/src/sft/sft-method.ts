import { sftLoss } from "@kto/losses";
import { sftMetrics } from "@kto/losses/plain";
import { backward, concat, equal, gatherRows, segmentSum, sum, view, type Device, type Tensor } from "@kto/tensor";
import { shuffleSeedOf } from "../config/order-fields.js";
import { isPaddingFree, type SFTConfig } from "../config/sft-config.js";
import { numScoredTokens, type ScoredRow } from "../data/rows.js";
import type { BackwardPass, Method, MethodContext, NamedValues, RecordedTensors } from "../loop/method.js";
import { inPasses, longestRowOf, type PassOptions } from "../memory/passes.js";
import { lossesTogether } from "../scoring/losses-together.js";
import { policyPass } from "../scoring/policy-pass.js";
import { packScoredBatch } from "../scoring/scored-batch.js";
import type { SftRow } from "./arrange-rows.js";
import { prepareSftDataset, type PreparedSftDataset } from "./prepare-sft-dataset.js";

/** Supervised fine-tuning as the loop trains it: the mean of −log π over the scored tokens of an update, and nothing to compare with. */
export function sftMethod(args: SFTConfig): Method<SftRow, PreparedSftDataset> {
  return {
    name: "sft",
    isPaddingFree: isPaddingFree(args),
    shuffleSeed: args.shuffleDataset === false ? undefined : shuffleSeedOf(args),
    prepare: (dataset, options) => prepareSftDataset(dataset, { ...args, ...options }),
    passes: (rows) => [documentsOf(rows)],
    weightOf: (rows) => numScored(documentsOf(rows)),
    record(context, rows, _before, backwardPass) {
      const documents = documentsOf(rows);
      const numItemsInBatch = Math.max(1, numScored(documents));
      const parts = inPasses(context, documents, (part, options) =>
        documentsPass(context, args, { documents: part, numItemsInBatch, ...options }, backwardPass),
      );
      const joined = (name: "loss" | "entropy" | "numCorrect"): Tensor => concat(parts.map((part) => part[name])); // [numPasses]
      const results = { loss: sum(joined("loss")), entropy: joined("entropy"), numCorrect: joined("numCorrect") };
      return backwardPass ? results : { ...results, logProbs: concat(parts.map((part) => part.logProbs!)) }; // [numDocuments]
    },
    recordTogether(context, microBatches, backwardPass) {
      const { device } = context.model;
      const documents = microBatches.flatMap(documentsOf);
      const options = { largestPass: context.layout.largestPass, longestRow: longestRowOf(documents) };
      const forward = documentsForward(context, { documents, ...options }, backwardPass);
      if (!forward) return microBatches.map(() => nothingScored(device));
      const countOf = (rows: readonly SftRow[]): number => numScored(documentsOf(rows));
      const lossOf = (rows: readonly SftRow[], tokens: TokenForward): RecordedTensors => {
        const count = countOf(rows);
        return count === 0 ? nothingScored(device) : lossOfTokens(args, tokens, count);
      };
      return lossesTogether({ device, microBatches, forward: forward.tokens, countOf, lossOf }, backwardPass);
    },
    metrics: sftMicroBatchMetrics,
    scores({ logProbs }, rows) {
      let next = 0;
      return rows.map(({ sourceIndex, documents }) => {
        const ofRow = Array.from(documents, () => logProbs![next++]!);
        const logProb = ofRow.reduce((total, value) => total + value, 0);
        return { sourceIndex, label: undefined, logProb, numTokens: numScored(documents), reward: undefined };
      });
    },
  };
}

/** What trl logs of one micro-batch. `entropy` and `numCorrect` are sums over scored tokens, one number a pass. */
export function sftMicroBatchMetrics({ entropy, numCorrect }: NamedValues, rows: readonly SftRow[]): Record<string, number> {
  const total = (values: ArrayLike<number>): number => Array.from(values).reduce((all, value) => all + value, 0);
  return { ...sftMetrics({ entropy: total(entropy!), numCorrect: total(numCorrect!), numScored: numScored(documentsOf(rows)) }) };
}

function documentsOf(rows: readonly SftRow[]): ScoredRow[] {
  return rows.flatMap(({ documents }) => documents);
}

function numScored(documents: readonly ScoredRow[]): number {
  return documents.reduce((total, document) => total + numScoredTokens(document), 0);
}

/** [numScored] f32 each: what the policy says of scored tokens. */
type TokenForward = {
  /** nats, on the tape */
  logProbs: Tensor;
  /** nats */
  entropy: Tensor;
  /** 1 where the token is the likeliest, else 0 */
  isCorrect: Tensor;
};

/** The policy on some documents; undefined where no token is scored. `bounds`, [numDocuments + 1] u32: where the tokens of each begin. */
function documentsForward(
  context: MethodContext,
  { documents, ...passOptions }: PassOptions & { documents: readonly ScoredRow[] },
  backwardPass: Pick<BackwardPass, "onForward"> | undefined,
): { tokens: TokenForward; bounds: Tensor } | undefined {
  const { base } = context.model;
  const { tokens, scored } = packScoredBatch(base, documents, passOptions);
  if (!scored) return undefined;
  const { logProbs, entropy, argmax } = policyPass(context, backwardPass, (gradientCheckpointing) => {
    const hidden = base.hiddenStates(tokens, { gradientCheckpointing }); // [numTokens, hiddenSize]
    return base.logProbs(gatherRows(hidden, scored.positions), scored.labels, { metrics: true }); // [numScored]
  });
  return { tokens: { logProbs, entropy: entropy!, isCorrect: equal(argmax!, scored.labels) }, bounds: scored.bounds };
}

/** [1] f32 each: sums over the scored tokens of some documents, the loss as a part of the micro-batch's, on the tape. */
function lossOfTokens(
  { lossType }: SFTConfig,
  { logProbs, entropy, isCorrect }: TokenForward,
  numItemsInBatch: number,
): Record<"loss" | "entropy" | "numCorrect", Tensor> {
  const single = (scalar: Tensor): Tensor => view(scalar, [1]);
  return {
    loss: single(sftLoss({ tokenLogProbs: logProbs, numItemsInBatch, lossType })),
    entropy: single(sum(entropy)),
    numCorrect: single(sum(isCorrect)),
  };
}

/** The results of documents in which no token is scored. */
function nothingScored(device: Device): Record<"loss" | "entropy" | "numCorrect", Tensor> {
  return { loss: device.zeros([1], "f32"), entropy: device.zeros([1], "f32"), numCorrect: device.zeros([1], "f32") };
}

interface DocumentsPass {
  /** [1] f32 each: sums over scored tokens, the loss as a part of the micro-batch's */
  loss: Tensor;
  entropy: Tensor;
  numCorrect: Tensor;
  /** [numDocuments] f32 nats, of an evaluation: the sum over the scored tokens of each. */
  logProbs?: Tensor;
}

/** Some documents of a micro-batch, their part of its loss, and their share of its gradient. */
function documentsPass(
  context: MethodContext,
  args: SFTConfig,
  { numItemsInBatch, ...input }: PassOptions & { documents: readonly ScoredRow[]; numItemsInBatch: number },
  backwardPass: BackwardPass | undefined,
): DocumentsPass {
  const { device } = context.model;
  return device.scope("sft pass", () => {
    const forward = documentsForward(context, input, backwardPass);
    const { loss, ...sums } = forward ? lossOfTokens(args, forward.tokens, numItemsInBatch) : nothingScored(device);
    if (backwardPass && loss.node) backward(loss, backwardPass).dispose();
    const results = { ...sums, loss: loss.detach() };
    if (backwardPass) return results;
    const logProbs = forward ? segmentSum(forward.tokens.logProbs, forward.bounds) : device.zeros([input.documents.length], "f32");
    return { ...results, logProbs };
  });
}
