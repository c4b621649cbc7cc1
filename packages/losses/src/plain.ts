export { dpoLossPlain, type DpoPlainInputs, type DpoPlainResult } from "./dpo/dpo-plain.js";
export { dpoMetrics, type DpoMetricInputs, type DpoMetrics } from "./dpo/dpo-metrics.js";
export {
  dpoContradictions,
  dpoLossTypes,
  fDivergenceTypes,
  unreadDpoOptions,
  weightingContradictions,
  type DpoLossOptions,
  type DpoLossType,
  type FDivergenceType,
} from "./dpo/options.js";
export { ldTokenWeights, type PairTokenCounts } from "./dpo/token-weights.js";
export { wpoWeightsPlain, type WpoWeightPlainInputs } from "./dpo/wpo-weights-plain.js";
export { LossInputError } from "./errors.js";
export { klCompletionSources } from "./kl-pairing.js";
export { averageMetrics, ktoMetrics, type KtoMetricInputs, type KtoMetrics } from "./kto-metrics.js";
export { ktoLossPlain, type KtoLossType, type KtoPlainInputs, type KtoPlainResult } from "./kto-plain.js";
export {
  cpoLossPlain,
  orpoLossPlain,
  type CpoPlainInputs,
  type OrpoPlainInputs,
  type ReferenceFreePlainPairs,
  type ReferenceFreePlainResult,
} from "./reference-free/reference-free-plain.js";
export { cpoContradictions, cpoLossTypes, type CpoLossOptions, type CpoLossType } from "./reference-free/cpo-options.js";
export { sftLossTypes, type SftLossType } from "./sft/sft-loss-types.js";
export { sftMetrics, type SftMetricInputs, type SftMetrics } from "./sft/sft-metrics.js";
export { sftLossPlain, type SftPlainInputs, type SftPlainResult } from "./sft/sft-plain.js";
