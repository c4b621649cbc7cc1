import { add, logSigmoid, scale, sigmoid, sub } from "@kto/tensor";
import type { PairLoss } from "./pairs.js";

/*
 * Losses that judge each answer against the reference, not only against the other answer of its pair.
 */

/**
 * NCA of pairs: −log σ(β s(c)) − ½ log σ(−β s(c)) − ½ log σ(−β s(r)).
 *
 * Keeps the likelihood of the chosen answers from falling: for reasoning and mathematics.
 *
 * @see arXiv 2402.05369 (NCA), its pairwise case
 */
export const ncaPairLoss: PairLoss = ({ chosenScores, rejectedScores }, { beta }) => {
  const chosen = scale(chosenScores, beta);
  const falls = add(logSigmoid(scale(chosen, -1)), logSigmoid(scale(rejectedScores, -beta)));
  return scale(add(logSigmoid(chosen), scale(falls, 0.5)), -1);
};

/**
 * BCO of pairs: −log σ(β s(c)) − log σ(−β s(r)). trl 1.16 has no shift by the mean reward, and neither has this.
 *
 * A classifier of good and bad answers: for pairs that were made of single judgements.
 *
 * @see arXiv 2404.04656 (BCO)
 */
export const bcoPairLoss: PairLoss = ({ chosenScores, rejectedScores }, { beta }) =>
  scale(add(logSigmoid(scale(chosenScores, beta)), logSigmoid(scale(rejectedScores, -beta))), -1);

/**
 * APO-zero: (1 − σ(β c)) + σ(β r), of log-ratios whatever the divergence.
 *
 * Raises chosen answers and lowers rejected ones: where the chosen answers are better than what the model writes.
 *
 * @see arXiv 2408.06266 (APO)
 */
export const apoZeroLoss: PairLoss = ({ chosenLogRatios, rejectedLogRatios }, { beta }) =>
  add(sigmoid(scale(chosenLogRatios, -beta)), sigmoid(scale(rejectedLogRatios, beta)));

/**
 * APO-down: σ(β c) + (1 − σ(β · (s(c) − s(r)))); the first term is of the log-ratio whatever the divergence.
 *
 * Lowers both answers, the rejected one further: where the model writes better than the chosen answers.
 *
 * @see arXiv 2408.06266 (APO)
 */
export const apoDownLoss: PairLoss = ({ chosenLogRatios, chosenScores, rejectedScores }, { beta }) =>
  add(sigmoid(scale(chosenLogRatios, beta)), sigmoid(scale(sub(chosenScores, rejectedScores), -beta)));
