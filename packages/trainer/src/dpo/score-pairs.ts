import { ldTokenWeights } from "@kto/losses/plain";
import { gatherRows, view, type Tensor } from "@kto/tensor";
import { numScoredTokens, type ScoredRow } from "../data/rows.js";
import type { ScoreOptions } from "../scoring/score-batch.js";
import type { PairRow } from "./prepare-dpo-dataset.js";

/** The two answers of each pair, one after the other: the order in which pairs go through the model. */
export function answersOf(pairs: readonly PairRow[]): ScoredRow[] {
  return pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
}

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

/** [2b] of `answersOf` → [b] of the chosen answers and [b] of the rejected ones. */
export function sidesOf(ofAnswers: Tensor): [chosen: Tensor, rejected: Tensor] {
  const numPairs = ofAnswers.size / 2;
  const rows = view(ofAnswers, [2 * numPairs, 1]);
  const side = (offset: 0 | 1): Tensor => {
    const indices = Array.from({ length: numPairs }, (_, pair) => 2 * pair + offset);
    return view(gatherRows(rows, rows.device.tensor(indices, [numPairs], "u32", "side of pairs")), [numPairs]); // [b]
  };
  return [side(0), side(1)];
}
