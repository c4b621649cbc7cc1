export type { KeepOptions, KeptNumbers } from "./kept-numbers.js";
export type { Reference, ReferenceKind } from "./reference.js";
export { scoreBatch, type ScoreOptions, type Scores } from "./score-batch.js";
export { packScoredBatch, type PackScoredBatchOptions, type ScoredBatch } from "./scored-batch.js";
export type { TokenScores } from "./score-tokens.js";
