import { dpoMetrics } from "@kto/losses/plain";
import { numScoredTokens } from "../data/rows.js";
import type { NamedValues } from "../loop/method.js";
import type { PairRow } from "../pairs/prepare-pair-dataset.js";

/**
 * What trl's ORPO and CPO trainers log of one micro-batch, but `logits/*`, which are over the scored positions as those of DPO: trl's are over prompts and padding too,
 * and say nothing of the answers.
 *
 * @param values  one number a pair, and of `nll` one a rank
 */
export function referenceFreeMetrics(values: NamedValues, pairs: readonly PairRow[]): Record<string, number> {
  const { nll, logOddsRatio, logOddsChosen } = values;
  const sum = (numbers: ArrayLike<number>): number => Array.from(numbers).reduce((total, value) => total + value, 0);
  const mean = (numbers: ArrayLike<number>): number => sum(numbers) / numbers.length;
  const numTokens = (side: "chosen" | "rejected"): number => sum(pairs.map((pair) => numScoredTokens(pair[side])));
  return {
    ...dpoMetrics({
      chosenRewards: values["chosenRewards"]!,
      rejectedRewards: values["rejectedRewards"]!,
      policyChosenLogProbs: values["chosenLogps"]!,
      policyRejectedLogProbs: values["rejectedLogps"]!,
    }),
    "logits/chosen": sum(values["chosenMeanLogit"]!) / numTokens("chosen"),
    "logits/rejected": sum(values["rejectedMeanLogit"]!) / numTokens("rejected"),
    nll_loss: mean(nll!),
    ...(logOddsRatio && { log_odds_ratio: mean(logOddsRatio) }),
    ...(logOddsChosen && { log_odds_chosen: mean(logOddsChosen) }),
  };
}
