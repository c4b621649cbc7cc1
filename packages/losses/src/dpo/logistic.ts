import { add, div, exp, logSigmoid, mul, scale, shift, sigmoid, sub } from "@kto/tensor";
import { lengthsFor, onMargins, type PairLoss } from "./pairs.js";

/*
 * Losses of the logistic model of preferences: the chosen answer wins with probability σ(z), z = β · (s(c) − s(r)).
 */

/**
 * DPO: −log σ(z).
 *
 * The one to begin with. It never stops pushing pairs apart, so that the log-probability of the chosen answers may fall too: watch `rewards/chosen`.
 *
 * @see arXiv 2305.18290 (DPO)
 */
export const sigmoidLoss: PairLoss = onMargins((z) => scale(logSigmoid(z), -1));

/**
 * DPO of log-probabilities per token: −log σ(β · (s(c) / length of the chosen answer − s(r) / length of the rejected one)).
 *
 * For data whose chosen answers are longer, which DPO learns to imitate. Log-ratios per token are small, so β is larger: Tülu 3 took 5.
 *
 * @see arXiv 2411.15124 (Tülu 3)
 */
export const sigmoidNormLoss: PairLoss = (pairs, { beta }) => {
  const chosen = div(pairs.chosenScores, lengthsFor("sigmoid_norm", pairs, "chosenLengths"));
  const rejected = div(pairs.rejectedScores, lengthsFor("sigmoid_norm", pairs, "rejectedLengths"));
  return scale(logSigmoid(scale(sub(chosen, rejected), beta)), -1);
};

/**
 * DPO for labels of which a share ε is the wrong way round, without their bias: [−(1 − ε) · log σ(z) + ε · log σ(−z)] / (1 − 2ε).
 *
 * `labelSmoothing` is ε, below 0.5: about the share of pairs on which annotators disagree.
 *
 * @see arXiv 2403.00409 (robust DPO)
 */
export const robustLoss: PairLoss = onMargins((z, { labelSmoothing: e }) =>
  add(scale(logSigmoid(z), -(1 - e) / (1 - 2 * e)), scale(logSigmoid(scale(z, -1)), e / (1 - 2 * e))),
);

/**
 * EXO: the reverse KL divergence from the smoothed labels (1 − ε, ε) to the policy's (p, q) = (σ(z), σ(−z)):
 *
 *   p · (log p − log(1 − ε)) + q · (log q − log ε)
 *
 * Settles on the better answer instead of covering both. Needs `labelSmoothing` above 0; 0.001 is usual.
 *
 * @see arXiv 2402.00856 (EXO), equation 16
 */
export const exoPairLoss: PairLoss = onMargins((z, { labelSmoothing: e }) => {
  const other = scale(z, -1);
  const wins = mul(sigmoid(z), shift(logSigmoid(z), -Math.log1p(-e)));
  return add(wins, mul(sigmoid(other), shift(logSigmoid(other), -Math.log(e))));
});

/**
 * DiscoPOP: DPO's loss and the exponential one, blended by m = σ(z / τ):  (1 − m) · −log σ(z) + m · e^(−z).
 *
 * Found by a search over losses; it is not convex, and gives little to pairs that are wrong by far. `discopopTau` is τ, 0.05.
 *
 * @see arXiv 2406.08414 (DiscoPOP)
 */
export const discopopLoss: PairLoss = onMargins((z, { discopopTau }) => {
  const ratio = scale(z, 1 / discopopTau);
  // 1 − m is σ(−z/τ), with all its digits; e^(−z) is finite, so that m = 0 leaves 0 of it.
  return add(scale(mul(sigmoid(scale(ratio, -1)), logSigmoid(z)), -1), mul(sigmoid(ratio), exp(scale(z, -1))));
});
