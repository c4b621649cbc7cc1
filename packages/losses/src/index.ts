export { dpoLoss, dpoLosses, type DpoLossInputs, type DpoLossResult } from "./dpo/dpo-loss.js";
export { fDivergenceScores } from "./dpo/f-divergence.js";
export type { DpoLossOptions, DpoLossType, FDivergenceType, PairLossOptions } from "./dpo/options.js";
export type { PairLengths, PairLogProbs, PairLoss, Pairs } from "./dpo/pairs.js";
export { wpoWeights, type WpoWeightInputs } from "./dpo/wpo-weights.js";
export { LossInputError } from "./errors.js";
export { ktoLoss, type KtoLossInputs, type KtoLossResult } from "./kto-loss.js";
export type { KtoLossType } from "./kto-plain.js";
export {
  cpoLoss,
  type CpoLossInputs,
  type CpoLossResult,
  type ReferenceFreePairs,
  type WholeMicroBatch,
} from "./reference-free/cpo-loss.js";
export type { CpoLossOptions, CpoLossType } from "./reference-free/cpo-options.js";
export { orpoLoss, type OrpoLossInputs, type OrpoLossResult } from "./reference-free/orpo-loss.js";
export { sftLoss, type SftLossInputs } from "./sft/sft-loss.js";
export type { SftLossType } from "./sft/sft-loss-types.js";
