import { add, type CausalLM, equal, gatherRows, mul, segmentSum, type Tensor } from "@kto/tensor";
import type { ScoredRow } from "../data/rows.js";
import { packScoredBatch, type ScoredBatch, type ScoredRows } from "./scored-batch.js";

/** Options of `scoreBatch`. */
export interface ScoreOptions {
  /** See `CausalLM.hiddenStates`. */
  gradientCheckpointing?: boolean | number | undefined;
  /** Also entropy and mean logit of every scored position. */
  metrics?: boolean | undefined;
  /** Besides the metrics, how many scored tokens are the likeliest. */
  accuracy?: boolean | undefined;
  /** Also how near the tokens are to those that the model would write. */
  aligned?: boolean | undefined;
  /** What the log-probability of each scored token is multiplied by before they are summed, the tokens of all rows one after another; default 1. */
  tokenWeights?: readonly number[] | undefined;
  /** Where sums begin among the scored tokens, and where the last one ends, in place of a sum a row: then results are [numSums], not [numRows]. */
  bounds?: readonly number[] | undefined;
}

/** Log-probabilities of the completions of a batch, on the device. */
export interface Scores {
  /** [numRows] f32 nats: sums over scored tokens, each times its weight */
  logProbs: Tensor;
  /** [numScored] f32 nats, the scored tokens of all rows one after another; undefined when nothing is scored */
  tokenLogProbs: Tensor | undefined;
  /** [numRows] f32: sum of the entropies (nats) of the scored positions; with `metrics` */
  entropy: Tensor | undefined;
  /** [numRows] f32: sum over the scored positions of the vocabulary's mean logit; with `metrics` */
  meanLogit: Tensor | undefined;
  /** [numRows] f32: scored tokens that have the largest logit; with `metrics` and `accuracy` */
  numCorrect: Tensor | undefined;
  /** [numRows] f32 nats, without gradient: sum over the scored tokens y_t of log p(y_t) − log Σ_v p(v)², unweighted; with `aligned` */
  alignedLogProbs: Tensor | undefined;
  /** [rows that go along] f32 nats, without gradient; undefined for a batch without such */
  alongsideLogProbs: Tensor | undefined;
}

/**
 * log π(completion | prompt) of each row: the sum over completion tokens of log softmax(logits)[token], with logits at scored positions only.
 *
 * @param batch  rows, or what `packScoredBatch` made of them once for several models
 */
export function scoreBatch(
  model: CausalLM,
  batch: readonly ScoredRow[] | ScoredBatch,
  { gradientCheckpointing = false, metrics = false, accuracy = false, aligned = false, tokenWeights, bounds: parts }: ScoreOptions = {},
): Scores {
  const { device } = model;
  return device.scope("scoreBatch", () => {
    const { numRows, tokens, scored, alongside } = "tokens" in batch ? batch : packScoredBatch(model, batch);
    const isScored = scored !== undefined || alongside?.scored !== undefined;
    const hidden = isScored ? model.hiddenStates(tokens, { gradientCheckpointing }) : undefined; // [numTokens, hiddenSize]
    const alongsideLogProbs = alongside && device.noGrad(() => constantLogProbs(model, hidden, alongside));
    if (!scored || !hidden) {
      const zeros = (): Tensor => device.zeros([parts ? parts.length - 1 : numRows], "f32");
      return {
        logProbs: zeros(),
        tokenLogProbs: undefined,
        entropy: metrics ? zeros() : undefined,
        meanLogit: metrics ? zeros() : undefined,
        numCorrect: metrics && accuracy ? zeros() : undefined,
        alignedLogProbs: aligned ? zeros() : undefined,
        alongsideLogProbs,
      };
    }
    const { positions, labels } = scored;
    const bounds = parts ? device.tensor(parts, [parts.length], "u32", "bounds of sums") : scored.bounds;
    const { logProbs, entropy, meanLogit, argmax, collisionEntropy } = model.logProbs(gatherRows(hidden, positions), labels, {
      metrics,
      collisionEntropy: aligned,
    }); // [numScored]
    const weights = tokenWeights && device.tensor(tokenWeights, [tokenWeights.length], "f32", "token weights"); // [numScored]
    return {
      logProbs: segmentSum(weights ? mul(logProbs, weights) : logProbs, bounds), // [numRows]
      tokenLogProbs: logProbs.detach(),
      entropy: entropy && segmentSum(entropy, bounds),
      meanLogit: meanLogit && segmentSum(meanLogit, bounds),
      numCorrect: accuracy && argmax ? segmentSum(equal(argmax, labels), bounds) : undefined,
      alignedLogProbs: collisionEntropy && segmentSum(add(logProbs.detach(), collisionEntropy), bounds),
      alongsideLogProbs,
    };
  });
}

/** [numRows] f32 nats of rows that take no gradients. */
function constantLogProbs(model: CausalLM, hidden: Tensor | undefined, { numRows, scored }: ScoredRows): Tensor {
  if (!scored || !hidden) return model.device.zeros([numRows], "f32");
  return model.device.scope("alongside", () => {
    const { logProbs } = model.logProbs(gatherRows(hidden, scored.positions), scored.labels); // [numScored]
    return segmentSum(logProbs, scored.bounds);
  });
}
