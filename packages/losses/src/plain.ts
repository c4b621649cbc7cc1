export { LossInputError } from "./errors.js";
export { klCompletionSources } from "./kl-pairing.js";
export { averageMetrics, ktoMetrics, type KtoMetricInputs, type KtoMetrics } from "./kto-metrics.js";
export { ktoLossPlain, type KtoLossType, type KtoPlainInputs, type KtoPlainResult } from "./kto-plain.js";
