export { LossInputError } from "./errors.js";
export { ktoLoss, type KtoLossInputs, type KtoLossResult } from "./kto-loss.js";
export type { KtoLossType } from "./kto-plain.js";
