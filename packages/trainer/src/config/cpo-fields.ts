import { choice, field, number } from "@kto/core/config";
import { cpoLossTypes } from "@kto/losses/plain";
import { orderFields } from "./order-fields.js";
import { promptsOfPairs, sharedPromptFields } from "./shared-prompt-fields.js";
import { trainingFields } from "./training-fields.js";

/** Fields of CPO, and of SimPO and AlphaPO, which are losses of it. Names and defaults are those of trl 1.16. */
export const cpoFields = {
  ...trainingFields,
  lossType: field(choice(cpoLossTypes), "sigmoid", {
    group: "loss",
    help: "the loss of pairs",
    notes: `${cpoLossTypes.join(", ")}; SimPO is simpo with cpo_alpha 0 and a beta of 2 or more; alphapo is simpo whose cpo_alpha is 0, as in trl`,
  }),
  beta: field(number({ above: 0 }), 0.1, {
    group: "loss",
    help: "what the rewards of the two answers are multiplied by",
    notes: "2 and more for simpo",
  }),
  labelSmoothing: field(number({ least: 0, below: 1 }), 0, {
    group: "loss",
    help: "share of pairs taken to be labelled the wrong way round",
    notes: "read by sigmoid, simpo and alphapo; where no loss reads it, it has no effect, as in trl, and is told (in code: refused)",
  }),
  cpoAlpha: field(number(), 1, {
    group: "loss",
    help: "how much the likelihood of the chosen answers counts beside the loss of pairs",
    notes: "0 in SimPO as published",
  }),
  simpoGamma: field(number(), 0.5, {
    group: "loss",
    help: "by how much the chosen answer's reward is to be the larger, with simpo and alphapo",
  }),
  alpha: field(number(), 0, {
    group: "loss",
    help: "how much the rewards of AlphaPO are bent; 0 is not at all",
    notes: "acts with every loss, as in trl; past all numbers with sums over long answers, so take it with simpo or alphapo",
  }),
  ...sharedPromptFields(promptsOfPairs),
  ...orderFields("pairs"),
};
