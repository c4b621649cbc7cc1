import { add, div, maximum, mul, scale, shift, sub } from "@kto/tensor";
import { lengthsFor, onMargins, type PairLoss } from "./pairs.js";

/*
 * Losses that ask for a margin and are content with it, z = β · (s(c) − s(r)).
 */

/**
 * The hinge of SLiC: max(0, 1 − z). No gradient where z ≥ 1.
 *
 * Leaves pairs alone that are apart by 1/β.
 *
 * @see arXiv 2309.06657 (RSO), 2305.10425 (SLiC-HF)
 */
export const hingeLoss: PairLoss = onMargins((z) => maximum(shift(scale(z, -1), 1), 0));

/**
 * IPO: (u − 1/(2β))², u = s(c) / length of the chosen answer − s(r) / length of the rejected one.
 *
 * Does not drive apart what is told apart already, so that it overfits less on few or noiseless pairs. β is the inverse of a margin per token: smaller
 * holds on less.
 *
 * @see arXiv 2310.12036 (IPO)
 */
export const ipoLoss: PairLoss = (pairs, { beta }) => {
  const chosen = div(pairs.chosenScores, lengthsFor("ipo", pairs, "chosenLengths"));
  const rejected = div(pairs.rejectedScores, lengthsFor("ipo", pairs, "rejectedLengths"));
  const distance = shift(sub(chosen, rejected), -1 / (2 * beta));
  return mul(distance, distance);
};

/**
 * SPPO with hard labels: (s(c) − 1/(2β))² + (s(r) + 1/(2β))².
 *
 * Each answer is led to a log-ratio of its own, so that the chosen one does not fall with the rejected one. Made for rounds of self-play on fresh answers.
 *
 * @see arXiv 2405.00675 (SPPO)
 */
export const sppoHardLoss: PairLoss = ({ chosenScores, rejectedScores }, { beta }) => {
  const chosen = shift(chosenScores, -1 / (2 * beta));
  const rejected = shift(rejectedScores, 1 / (2 * beta));
  return add(mul(chosen, chosen), mul(rejected, rejected));
};
