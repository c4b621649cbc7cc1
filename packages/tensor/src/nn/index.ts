export type {
  Attend,
  AttentionHeads,
  CausalLM,
  DecodeAttend,
  DecodeStep,
  HiddenStatesOptions,
  PackRowsOptions,
  TokenBatch,
} from "./causal-lm.js";
export { EmbeddingModule, isEmbeddingModule, type EmbeddingReplacement } from "./embedding-module.js";
export {
  Linear,
  type LinearAdapter,
  type LinearModule,
  type LowRankDelta,
  type OntoOptions,
  forwardEach,
  lowRankAhead,
  partsTogether,
} from "./linear.js";
export type { LinearShape, ModuleTree } from "./module-tree.js";
export { slabShare, type TensorRegion, TensorSlabs, type TensorSpace } from "./slabs.js";
export { bucketShare, ParameterBucket, type ParameterShape, type ParameterTreatment } from "./parameter-bucket.js";
export type { TrainableWeights } from "./trainable-weights.js";
