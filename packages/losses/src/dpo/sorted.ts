import { add, logSigmoid, scale, sort, sub, type Tensor } from "@kto/tensor";
import type { PairLossOptions } from "./options.js";
import type { PairLoss } from "./pairs.js";

/*
 * Losses of distributions: the i-th smallest of one side against the i-th smallest of the other, over all pairs of a micro-batch. With one pair they are
 * DPO. Neither reads scores.
 */

/**
 * AOT: −(1 − ε) · log σ(β δ) − ε · log σ(−β δ), δ = sorted(policy's chosen − rejected) − sorted(reference's chosen − rejected).
 *
 * Asks for margins that are larger as a distribution, not pair by pair: the larger the micro-batch, the better. ε is `labelSmoothing`.
 *
 * @see arXiv 2406.05882 (AOT)
 */
export const aotLoss: PairLoss = (pairs, options) => {
  const policy = sort(sub(pairs.policyChosenLogProbs, pairs.policyRejectedLogProbs)); // [B]
  const reference = sort(sub(pairs.refChosenLogProbs, pairs.refRejectedLogProbs)); // [B]
  return smoothedLogistic(sub(policy, reference), options);
};

/**
 * AOT of answers that need not be pairs: as `aot`, with δ = sorted(c) − sorted(r).
 *
 * @see arXiv 2406.05882 (AOT)
 */
export const aotUnpairedLoss: PairLoss = ({ chosenLogRatios, rejectedLogRatios }, options) =>
  smoothedLogistic(sub(sort(chosenLogRatios), sort(rejectedLogRatios)), options);

function smoothedLogistic(differences: Tensor, { beta, labelSmoothing: e }: PairLossOptions): Tensor {
  const z = scale(differences, beta);
  const losses = scale(logSigmoid(z), -(1 - e));
  return e === 0 ? losses : add(losses, scale(logSigmoid(scale(z, -1)), -e));
}
