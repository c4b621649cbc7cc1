import { boolean, choice, field, number, oneOrMore, orNull, where } from "@kto/core/config";
import { dpoLossTypes, fDivergenceTypes, type DpoLossType } from "@kto/losses/plain";
import { orderFields } from "./order-fields.js";
import { promptsOfPairs, sharedPromptFields } from "./shared-prompt-fields.js";
import { referenceFields } from "./reference-fields.js";
import { trainingFields } from "./training-fields.js";

/** Fields of DPO: those that every method has, and its own. Names and defaults are those of trl 1.16. */
export const dpoFields = {
  ...trainingFields,
  beta: field(number({ above: 0 }), 0.1, { group: "loss", help: "how strongly the policy is held to its reference" }),
  lossType: field(oneOrMore<DpoLossType>(choice(dpoLossTypes), `one or more of ${dpoLossTypes.join(", ")}`), ["sigmoid"], {
    group: "loss",
    help: "the loss of pairs, or several that are added",
    notes: dpoLossTypes.join(", "),
  }),
  lossWeights: field(orNull(oneOrMore(number(), "a number for each loss")), null, {
    group: "loss",
    help: "what each loss is multiplied by; null is 1",
  }),
  labelSmoothing: field(number({ least: 0, below: 1 }), 0, {
    group: "loss",
    help: "share of pairs taken to be labelled the wrong way round",
    notes:
      "read by exo_pair, robust, aot and aot_unpaired; where no loss reads it, it has no effect, as in trl, and is told (in code: refused)",
  }),
  fDivergenceType: field(choice(fDivergenceTypes), "reverse_kl", {
    group: "loss",
    help: "how the distance from the reference is measured",
    notes: fDivergenceTypes.join(", "),
  }),
  fAlphaDivergenceCoef: field(number(), 0.5, { group: "loss", help: "a of alpha_divergence: 1 is reverse KL, 0 forward KL" }),
  discopopTau: field(number({ above: 0 }), 0.05, { group: "loss", help: "temperature of discopop's blend" }),
  ldAlpha: field(orNull(where(number({ least: 0 }), (value) => value <= 1, "a number from 0 to 1")), null, {
    group: "loss",
    help: "what tokens count that only the longer answer of a pair has; null is 1",
  }),
  useWeighting: field(boolean(), false, {
    group: "loss",
    help: "weighs pairs by how likely the policy would be to write their answers (WPO)",
    notes: "not with aot, aot_unpaired and sft, whose losses are of no single pair",
  }),
  ...referenceFields("pairs"),
  ...sharedPromptFields(promptsOfPairs),
  ...orderFields("pairs"),
};
