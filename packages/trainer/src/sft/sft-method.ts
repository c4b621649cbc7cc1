import { sftLoss } from "@kto/losses";
import { sftMetrics } from "@kto/losses/plain";
import { backward, concat, equal, gatherRows, segmentSum, sum, view, type Tensor } from "@kto/tensor";
import { shuffleSeedOf } from "../config/order-fields.js";
import { isPaddingFree, type SFTConfig } from "../config/sft-config.js";
import { numScoredTokens, type ScoredRow } from "../data/rows.js";
import type { BackwardPass, Method, MethodContext, NamedValues } from "../loop/method.js";
import { inPasses, type PassOptions } from "../memory/passes.js";
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

/** [1] f32 each: sums over the scored tokens of some documents, the loss as a part of the micro-batch's. */
interface DocumentsPass {
  loss: Tensor;
  entropy: Tensor;
  numCorrect: Tensor;
  /** [numDocuments] f32 nats, of an evaluation: the sum over the scored tokens of each. */
  logProbs?: Tensor;
}

/** Some documents of a micro-batch, their part of its loss, and their share of its gradient. */
function documentsPass(
  context: MethodContext,
  { lossType }: SFTConfig,
  { documents, numItemsInBatch, ...passOptions }: PassOptions & { documents: readonly ScoredRow[]; numItemsInBatch: number },
  backwardPass: BackwardPass | undefined,
): DocumentsPass {
  const { device, base } = context.model;
  return device.scope("sft pass", () => {
    const { tokens, scored } = packScoredBatch(base, documents, passOptions);
    if (!scored) {
      const zeros = (size = 1): Tensor => device.zeros([size], "f32");
      const results = { loss: zeros(), entropy: zeros(), numCorrect: zeros() };
      return backwardPass ? results : { ...results, logProbs: zeros(documents.length) };
    }
    const { logProbs, entropy, argmax } = policyPass(context, backwardPass, (gradientCheckpointing) => {
      const hidden = base.hiddenStates(tokens, { gradientCheckpointing }); // [numTokens, hiddenSize]
      return base.logProbs(gatherRows(hidden, scored.positions), scored.labels, { metrics: true }); // [numScored]
    });
    const loss = sftLoss({ tokenLogProbs: logProbs, numItemsInBatch, lossType }); // []
    if (backwardPass) backward(loss, backwardPass).dispose();
    const single = (scalar: Tensor): Tensor => view(scalar, [1]);
    const numCorrect = single(sum(equal(argmax!, scored.labels)));
    const results = { loss: single(loss.detach()), entropy: single(sum(entropy!)), numCorrect };
    return backwardPass ? results : { ...results, logProbs: segmentSum(logProbs, scored.bounds) };
  });
}
