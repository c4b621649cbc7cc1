import { ldTokenWeights } from "@kto/losses/plain";
import { numScoredTokens } from "../data/rows.js";
import type { PairRow } from "../pairs/prepare-pair-dataset.js";
import type { ScoreOptions } from "../scoring/score-batch.js";

/** How the tokens of `answersOf(pairs)` are weighed where `ldAlpha` asks for it. */
export function tokenWeights(pairs: readonly PairRow[], ldAlpha: number | null): Pick<ScoreOptions, "tokenWeights"> {
  if (ldAlpha === null) return {};
  return {
    tokenWeights: pairs.flatMap(({ chosen, rejected }) => {
      const weights = ldTokenWeights({ chosen: [numScoredTokens(chosen)], rejected: [numScoredTokens(rejected)] }, ldAlpha);
      return [...weights.chosen, ...weights.rejected];
    }),
  };
}
