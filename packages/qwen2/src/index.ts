export { readQwen2Config, writeQwen2Config, type Qwen2Config } from "./config.js";
export type { DecoderLayerWeights, RopeTables } from "./decoder-layer.js";
export { Qwen2ForCausalLM, type ForwardOptions, type FromPretrainedOptions } from "./model.js";
export { packRows, unpad, type TokenBatch, type UnpaddedBatch } from "./token-batch.js";
export { loadWeights, type LoadedWeights, type LoadProgress, type LoadWeightsOptions, type QuantizeOnLoad } from "./load-weights.js";
export { weightSpecs, type WeightSpec } from "./weight-specs.js";
