/** trl's metrics of one micro-batch of pairs that log-probabilities tell. */
export interface DpoMetrics {
  "rewards/chosen": number;
  "rewards/rejected": number;
  "rewards/accuracies": number;
  "rewards/margins": number;
  "logps/chosen": number;
  "logps/rejected": number;
}

/** One micro-batch: [B] rewards and policy log-probabilities. */
export interface DpoMetricInputs {
  chosenRewards: ArrayLike<number>;
  rejectedRewards: ArrayLike<number>;
  policyChosenLogProbs: ArrayLike<number>;
  policyRejectedLogProbs: ArrayLike<number>;
}

/**
 * Means over the pairs of one micro-batch under trl's names. `rewards/accuracies` is the share of pairs whose chosen reward is the larger: a tie is none, so that a
 * run begins at 0.
 *
 * @see trl 1.16, DPOTrainer
 */
export function dpoMetrics(inputs: DpoMetricInputs): DpoMetrics {
  const { chosenRewards, rejectedRewards } = inputs;
  const numPairs = chosenRewards.length;
  const mean = (value: (pair: number) => number): number => {
    let sum = 0;
    for (let pair = 0; pair < numPairs; pair++) sum += value(pair);
    return sum / numPairs;
  };
  return {
    "rewards/chosen": mean((pair) => chosenRewards[pair]!),
    "rewards/rejected": mean((pair) => rejectedRewards[pair]!),
    "rewards/accuracies": mean((pair) => (chosenRewards[pair]! > rejectedRewards[pair]! ? 1 : 0)),
    "rewards/margins": mean((pair) => chosenRewards[pair]! - rejectedRewards[pair]!),
    "logps/chosen": mean((pair) => inputs.policyChosenLogProbs[pair]!),
    "logps/rejected": mean((pair) => inputs.policyRejectedLogProbs[pair]!),
  };
}
