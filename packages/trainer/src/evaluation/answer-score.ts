/** What an evaluation says of one answer. Of a pair there are two, one for each side. */
export interface AnswerScore {
  /** Place of its row in the data. */
  sourceIndex: number;
  /** True of a chosen or desirable answer; undefined where rows have no labels. */
  label: boolean | undefined;
  /** log π(answer | prompt) under the policy, in nats: the sum over its scored tokens. */
  logProb: number;
  /** Its scored tokens. */
  numTokens: number;
  /** Implicit reward; undefined of methods that have none. */
  reward: number | undefined;
}

/** The two answers to one prompt. */
export interface PairScore {
  chosen: AnswerScore;
  rejected: AnswerScore;
}

/** The rows of which both sides are there, in the order of the data: pairs, also those that were taken apart into single answers. */
export function pairsOf(scores: readonly AnswerScore[]): PairScore[] {
  const sides = new Map<number, { chosen?: AnswerScore; rejected?: AnswerScore }>();
  for (const score of scores) {
    if (score.label === undefined) continue;
    const row = sides.get(score.sourceIndex) ?? {};
    row[score.label ? "chosen" : "rejected"] = score;
    sides.set(score.sourceIndex, row);
  }
  const pairs = [...sides.values()].filter((row): row is PairScore => row.chosen !== undefined && row.rejected !== undefined);
  return pairs.sort((a, b) => a.chosen.sourceIndex - b.chosen.sourceIndex);
}

/** What answers are weighed by: their rewards, or the policy's log-probabilities alone, which need no reference. */
export type Measure = "rewards" | "logps";

/** How much more one side of a pair is worth than the other. */
export function marginOf({ chosen, rejected }: PairScore, by: Measure): number {
  return by === "rewards" ? chosen.reward! - rejected.reward! : chosen.logProb - rejected.logProb;
}
