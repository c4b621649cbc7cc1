export {
  ADAPTER_METADATA,
  adapterTensors,
  adapterTensorShapes,
  expectAdapterTensors,
  readAdapterWeights,
  type LoraContent,
} from "./adapter-files.js";
export {
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  adapterSubfolder,
  adapterTensorName,
  DEFAULT_ADAPTER,
  parseAdapterTensorName,
} from "./adapter-names.js";
export { openAdapterTensors, type AdapterReader } from "./adapter-reader.js";
export { formatAdapterConfig, parseAdapterConfig } from "./config-file.js";
export { loraConfig, type LoraConfig } from "./config.js";
export { loraFields } from "./config-fields.js";
export { AdapterFileError, LoraConfigError, LoraTargetError } from "./errors.js";
export { initialLoraWeights, type LoraWeights } from "./init.js";
export { readAdapter, readAdapterConfig, type LoadedAdapter } from "./load-adapter.js";
export type { SavedEmbeddings } from "./saved-embeddings.js";
export { adapterModelCard, isUntouchedCard, sealCard } from "./model-card.js";
export { loraScale } from "./scaling.js";
export {
  countLoraParameters,
  isLinearShape,
  resolveTargets,
  type LoraTarget,
  type ResolvedTargets,
  type ResolveTargetsOptions,
} from "./target-modules.js";
export { LoraSlot, type ActiveAdapters, type LoraLayer } from "./lora-layer.js";
export { mergeAndUnload, noteChange, wasChanged } from "./merge.js";
export { getPeftModel, PeftModel, withoutAdapters, type AdaptableModel, type AddAdapterOptions, type LoraAdapter } from "./peft-model.js";
export { saveAdapter, type AdapterToSave } from "./save-adapter.js";
