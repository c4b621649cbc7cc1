export { readQwen2Config, writeQwen2Config, type Qwen2Config } from "./config.js";
export type { DecoderLayerWeights, RopeTables } from "./decoder-layer.js";
export { Qwen2ForCausalLM, type ForwardOptions, type FromPretrainedOptions } from "./model.js";
export { packRows, unpad, type TokenBatch, type UnpaddedBatch } from "./token-batch.js";
export { loadWeights, weightSpecs, type LoadProgress, type LoadWeightsOptions, type WeightSpec } from "./weights.js";
