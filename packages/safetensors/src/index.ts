export {
  type ByteDirectory,
  type ByteSource,
  type ByteSink,
  blobDirectory,
  blobSource,
  bytesSource,
  httpDirectory,
  httpSource,
} from "@kto/core";
export { type Checkpoint, type CheckpointTensorInfo, openCheckpoint } from "./checkpoint.js";
export { type Converted, type Overflow, toBfloat16, toFloat16, toFloat32 } from "./convert.js";
export { DTYPES, type Dtype, bitsOf, byteLengthOf, byteSizeOf, elementCount, isDtype } from "./dtype.js";
export { BoundsError, DtypeError, FormatError, SourceError, WriteError } from "@kto/core";
export { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from "./float/scalar.js";
export type { TensorInfo } from "./header.js";
export type { TensorSpec } from "./header-writer.js";
export { DEFAULT_CHUNK_BYTES, MAX_HEADER_BYTES, MAX_JSON_DEPTH, MAX_JSON_VALUES, MAX_RANK, MAX_SHARDS, MAX_TENSORS } from "./limits.js";
export { type SafetensorsFile, openSafetensors } from "./safetensors-file.js";
export type { TensorData, TensorReader } from "./tensor-reader.js";

export { type TypedArrayOf, asTypedArray, bytesOf } from "./typed-array.js";
export {
  bytesWrittenBy,
  type PlannedFile,
  type PlannedTensor,
  type TensorContent,
  writeTensors,
  type WriteTensorsOptions,
} from "./write-tensors.js";
export { checkpointWeights, type RowRange, type WeightInfo, weightRows, type WeightSource } from "./weight-source.js";
export { type TensorsToWrite, type TensorToWrite, type WriteOptions, encodeSafetensors, writeSafetensors } from "./writer.js";
