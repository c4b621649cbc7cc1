export type { AnswerScore } from "./answer-score.js";
export { bootstrapInterval, bootstrapMean, type BootstrapOptions, type Interval } from "./bootstrap.js";
export { compareScores, type ComparedRow, type CompareOptions, type Comparison } from "./compare-scores.js";
export { preferenceMetrics, type PreferenceOptions } from "./preference-metrics.js";
