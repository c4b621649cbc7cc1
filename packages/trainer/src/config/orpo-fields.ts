import { field, number } from "@kto/core/config";
import { orderFields } from "./order-fields.js";
import { trainingFields } from "./training-fields.js";

/** Fields of ORPO: those that every method has, and its own. Names and defaults are those of trl 1.16. */
export const orpoFields = {
  ...trainingFields,
  beta: field(number({ above: 0 }), 0.1, {
    group: "loss",
    help: "how much the odds of the two answers count beside the likelihood of the chosen one",
  }),
  ...orderFields("pairs"),
};
