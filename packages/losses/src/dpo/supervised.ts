import { div, mean, scale } from "@kto/tensor";
import { lengthsFor, type PairLoss } from "./pairs.js";

/**
 * Supervised fine-tuning on the chosen answers: the mean over pairs is −Σ log π(y|x) / Σ length, the mean over all chosen tokens of the micro-batch.
 *
 * Not to be used alone: added to another loss (`lossType: ["sigmoid", "sft"]`) it keeps the chosen answers likely.
 *
 * @see arXiv 2404.19733 (iterative reasoning preference optimisation)
 */
export const sftLoss: PairLoss = (pairs) => {
  const { policyChosenLogProbs, chosenTokenLogProbs = policyChosenLogProbs, meanChosenLength } = pairs;
  if (meanChosenLength !== undefined) return scale(chosenTokenLogProbs, -1 / meanChosenLength);
  return scale(div(chosenTokenLogProbs, mean(lengthsFor("sft", pairs, "chosenLengths"))), -1);
};
