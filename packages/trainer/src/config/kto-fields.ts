import { choice, field, number } from "@kto/core/config";
import { referenceFields } from "./reference-fields.js";
import { sharedPromptFields } from "./shared-prompt-fields.js";
import { trainingFields } from "./training-fields.js";

/** Fields of KTO: those that every method has, and its own. */
export const ktoFields = {
  ...trainingFields,
  beta: field(number({ above: 0 }), 0.1, { group: "loss", help: "how strongly the policy is held to its reference" }),
  desirableWeight: field(number({ least: 0 }), 1, {
    group: "loss",
    help: "weight of the rows labelled true",
    notes: "a warning outside the range that trl recommends for the classes' sizes",
  }),
  undesirableWeight: field(number({ least: 0 }), 1, { group: "loss", help: "weight of the rows labelled false" }),
  lossType: field(choice(["kto", "apo_zero_unpaired"]), "kto", {
    group: "loss",
    help: "kto, or apo_zero_unpaired, which needs no KL estimate and so no pairs of rows",
  }),
  ...referenceFields("rows"),
  ...sharedPromptFields(
    "with the loss kto a prompt goes through the model once, in one pass, for its own completion and for the one that it borrows",
  ),
};
