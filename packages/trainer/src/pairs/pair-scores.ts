import { numScoredTokens } from "../data/rows.js";
import type { AnswerScore } from "../evaluation/answer-score.js";
import type { PairRow } from "./prepare-pair-dataset.js";

/** Numbers of some pairs, one a pair: rewards, and log-probabilities in nats. */
export interface PairValues {
  chosenRewards: ArrayLike<number>;
  rejectedRewards: ArrayLike<number>;
  chosenLogProbs: ArrayLike<number>;
  rejectedLogProbs: ArrayLike<number>;
}

/** What is known of both answers of each pair, the chosen one first. */
export function pairScores(pairs: readonly PairRow[], values: PairValues): AnswerScore[] {
  return pairs.flatMap(({ sourceIndex, chosen, rejected }, pair): AnswerScore[] => [
    {
      sourceIndex,
      label: true,
      logProb: values.chosenLogProbs[pair]!,
      numTokens: numScoredTokens(chosen),
      reward: values.chosenRewards[pair]!,
    },
    {
      sourceIndex,
      label: false,
      logProb: values.rejectedLogProbs[pair]!,
      numTokens: numScoredTokens(rejected),
      reward: values.rejectedRewards[pair]!,
    },
  ]);
}
