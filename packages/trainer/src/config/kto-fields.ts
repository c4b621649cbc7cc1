import { boolean, choice, field, integer, number, orNull } from "@kto/core/config";
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
  precomputeRefLogProbs: field(boolean(), false, {
    group: "loss",
    help: "computes the reference's log-probs once, before the first update",
    notes: "computed anew in each run, not cached on disk",
  }),
  precomputeRefBatchSize: field(orNull(integer(1)), null, {
    group: "loss",
    help: "rows at a time for that; null is per_device_train_batch_size",
  }),
};
