import { LossInputError } from "../errors.js";

/** Scored tokens of each completion of B pairs. */
export interface PairTokenCounts {
  /** [B] */
  chosen: readonly number[];
  /** [B] */
  rejected: readonly number[];
}

/**
 * LD-DPO: what the token log-probabilities of each completion are multiplied by before they are summed. The first min(chosen, rejected) tokens of a pair's answers
 * count in full, those that only the longer one has count `ldAlpha`.
 *
 *   log π(y|x) = Σ over the shared length + α · Σ over the rest,  the same for ρ
 *
 * Takes the reward of mere length away: 1 is DPO, 0 reads no further than the shorter answer.
 *
 * @returns  for each side [numScored], tokens of all its rows one after another; throws LossInputError for an `ldAlpha` outside 0 … 1
 * @see arXiv 2409.06411 (LD-DPO); trl 1.16, DPOTrainer
 */
export function ldTokenWeights({ chosen, rejected }: PairTokenCounts, ldAlpha: number): { chosen: number[]; rejected: number[] } {
  if (!(ldAlpha >= 0 && ldAlpha <= 1))
    throw new LossInputError(`ldTokenWeights: ldAlpha is out of range; expected a number from 0 to 1, got ${ldAlpha}`, {
      field: "ldAlpha",
    });
  const weightsOf = (counts: readonly number[], others: readonly number[]): number[] =>
    counts.flatMap((count, pair) => Array.from({ length: count }, (_, token) => (token < others[pair]! ? 1 : ldAlpha)));
  return { chosen: weightsOf(chosen, rejected), rejected: weightsOf(rejected, chosen) };
}
