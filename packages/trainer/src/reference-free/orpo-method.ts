import { orpoLoss } from "@kto/losses";
import { add, mean, scale } from "@kto/tensor";
import type { ORPOConfig } from "../config/orpo-config.js";
import type { Method } from "../loop/method.js";
import type { PairRow, PreparedPairDataset } from "../pairs/prepare-pair-dataset.js";
import { referenceFreeMethod } from "./reference-free-method.js";

/** ORPO as the loop trains it: the likelihood of whole chosen rows, prompts included, and the odds of the two answers. */
export function orpoMethod(args: ORPOConfig): Method<PairRow, PreparedPairDataset> {
  return referenceFreeMethod({
    name: "orpo",
    args,
    scoresPrompts: true,
    sharedPrompts: false,
    objective: ({ chosenPromptLogProbs, meanChosenLength, ...pairs }) => {
      const nll = scale(mean(add(chosenPromptLogProbs, pairs.chosenLogProbs)), -1 / meanChosenLength); // []
      const { loss, ...ofPairs } = orpoLoss({ ...pairs, nll, beta: args.beta });
      return { loss, nll: nll.detach(), ofPairs };
    },
  });
}
