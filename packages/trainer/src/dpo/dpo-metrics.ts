import { dpoMetrics } from "@kto/losses/plain";
import { numScoredTokens } from "../data/rows.js";
import type { NamedValues } from "../loop/method.js";
import type { PairRow } from "../pairs/prepare-pair-dataset.js";

/**
 * What trl logs of one micro-batch.
 *
 * @param values  `chosenRewards` and `rejectedRewards`, one number a pair; `logProbs`, `entropy`, `meanLogit` and `numCorrect`, two: chosen, rejected
 */
export function dpoMicroBatchMetrics(values: NamedValues, rows: readonly PairRow[]): Record<string, number> {
  const { chosenRewards, rejectedRewards, logProbs, entropy, meanLogit, numCorrect } = values;
  const side = (ofBoth: ArrayLike<number>, offset: 0 | 1): number[] => rows.map((_, pair) => ofBoth[2 * pair + offset]!);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, value) => total + value, 0);
  const [numChosen, numRejected] = [
    sum(rows.map(({ chosen }) => numScoredTokens(chosen))),
    sum(rows.map(({ rejected }) => numScoredTokens(rejected))),
  ];
  return {
    ...dpoMetrics({
      chosenRewards: chosenRewards!,
      rejectedRewards: rejectedRewards!,
      policyChosenLogProbs: side(logProbs!, 0),
      policyRejectedLogProbs: side(logProbs!, 1),
    }),
    entropy: sum(Array.from(entropy!)) / (numChosen + numRejected),
    "logits/chosen": sum(side(meanLogit!, 0)) / numChosen,
    "logits/rejected": sum(side(meanLogit!, 1)) / numRejected,
    mean_token_accuracy: sum(side(numCorrect!, 0)) / numChosen,
  };
}
