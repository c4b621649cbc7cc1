import { cpoLoss } from "@kto/losses";
import type { CPOConfig } from "../config/cpo-config.js";
import { sharesPrompts } from "../config/shared-prompt-fields.js";
import type { Method } from "../loop/method.js";
import type { PairRow, PreparedPairDataset } from "../pairs/prepare-pair-dataset.js";
import { referenceFreeMethod } from "./reference-free-method.js";

/** CPO, SimPO and AlphaPO as the loop trains them. */
export function cpoMethod(args: CPOConfig): Method<PairRow, PreparedPairDataset> {
  const { lossType, beta, labelSmoothing, cpoAlpha, simpoGamma, alpha } = args;
  return referenceFreeMethod({
    name: "cpo",
    args,
    scoresPrompts: false,
    sharedPrompts: sharesPrompts(args),
    objective: (pairs) => {
      const options = { lossType, beta, labelSmoothing, cpoAlpha, simpoGamma, alpha };
      const { loss, losses: _losses, nll, ...ofPairs } = cpoLoss({ ...pairs, ...options });
      return { loss, nll, ofPairs };
    },
  });
}
