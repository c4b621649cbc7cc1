export { emptyCausalLM, loadCausalLM, modelTree, readModelConfig, settleCheckpoint, sketchCausalLM, weightSpecs } from "./auto.js";
export { readQwen2Config, writeQwen2Config, type Qwen2Config } from "./config.js";
export type { DecoderArchitecture, LayerParts, ModelFamily, NormPart, Projection } from "./decoder/architecture.js";
export type { DecoderConfig } from "./decoder/config.js";
export type { DecoderLayer } from "./decoder/decoder-layer.js";
export type { InitializeOptions } from "./decoder/initial-weights.js";
export type { EmptyModelOptions } from "./decoder/empty-model.js";
export type { FromPretrainedOptions } from "./decoder/load-decoder.js";
export {
  loadWeights,
  type LoadedWeights,
  type LoadProgress,
  type LoadWeightsOptions,
  type QuantizeOnLoad,
} from "./decoder/load-weights.js";
export { DecoderForCausalLM, type DecoderParts, type ForwardOptions } from "./decoder/model.js";
export type { SavePretrainedOptions } from "./decoder/save.js";
export {
  diskDtypes,
  expectSaveDtype,
  savedBytes,
  writeCheckpoint,
  type CheckpointToWrite,
  type SaveProgress,
  type WriteCheckpointOptions,
} from "./decoder/write-checkpoint.js";
export {
  configuredDtype,
  formatSavedConfig,
  quantizationOf,
  type QuantizedLayers,
  type SavedConfig,
  type SaveDtype,
} from "./decoder/save-config.js";
export { bytesOnDisk, type NamedTensor } from "./decoder/shards.js";
export { ropeFrequencies, type RopeFrequencies, type RopeInput, type RopeScaling } from "./decoder/rope-scaling.js";
export { packRows, unpad, type UnpaddedBatch } from "./decoder/token-batch.js";
export type { SettledCheckpoint } from "./decoder/settle-checkpoint.js";
export { WeightSpace, type WeightForm, type WeightForms } from "./decoder/weight-space.js";
export type { WeightSpec } from "./decoder/weight-specs.js";
export { qwen2, Qwen2ForCausalLM } from "./qwen2.js";
