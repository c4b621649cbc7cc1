export { type ExportGgufAdapterOptions, exportGgufAdapter, type GgufAdapter } from "./adapter/export-adapter.js";
export { type PeftAdapter, readGgufAdapter } from "./adapter/read-adapter.js";
export { type ExportedGguf, exportGguf, type ExportGgufOptions, type GgufModel } from "./export/export-gguf.js";
export { ggufWeights } from "./gguf-weights.js";
export { type ImportanceEntry, type ImportanceMatrix, readImportanceMatrix, writeImportanceMatrix } from "./imatrix/imatrix.js";
export { encodeGguf, type GgufContent, type GgufTensorToWrite, writeGguf, type WriteGgufOptions } from "./container/writer.js";
export { type GgufFile, openGguf } from "./container/gguf-file.js";
export { type GgufMetadata, type GgufPlan, type GgufTensorSpec, planGguf } from "./container/header-writer.js";
export {
  MAX_ALIGNMENT,
  MAX_ARRAY_LENGTH,
  MAX_HEADER_BYTES,
  MAX_KEYS,
  MAX_NAME_BYTES,
  MAX_RANK,
  MAX_STRING_BYTES,
  MAX_TENSORS,
} from "./container/limits.js";
export type { MetadataValue } from "./container/metadata.js";
export type { GgufTensorInfo } from "./container/read-tensor-infos.js";
export { compareTensorNames } from "./container/tensor-order.js";
export { GGUF_FILE_TYPES, type GgufFileType, isGgufFileType, readGgufFileType } from "./file-types.js";
export { GGML_TYPES, ggmlByteLength, type GgmlType, type GgmlTypeFacts, isGgmlType } from "./ggml-types.js";
export { type MixModel, tensorTypes } from "./mix.js";
export { dequantize, quantize, QUANTIZED_TYPES, type QuantizedType, type QuantizeOptions } from "./quantize.js";
export { openQuantizer, type Quantizer, type QuantizeRowsOptions, type QuantizerOptions } from "./quantizer/quantizer.js";
export { checkpointTensorName, ggufTensorName } from "./qwen2/tensor-names.js";
export { type TokenizerFiles, tokenizerMetadata } from "./qwen2/tokenizer-metadata.js";
export { type ModelfileFacts, ollamaModelfile } from "./ollama/modelfile.js";
export { type ChatTurn, textAfterAnswer, turnParts, type TurnParts } from "./ollama/turn-parts.js";
