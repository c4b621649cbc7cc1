import type { Qwen2Config } from "@kto/qwen2";
import type { Capabilities } from "@kto/tensor";

/** DeepSeek-R1-Distill-Qwen-1.5B's shape. */
export const shape1b5: Qwen2Config = {
  modelType: "qwen2",
  vocabSize: 151_936,
  hiddenSize: 1536,
  intermediateSize: 8960,
  numHiddenLayers: 28,
  numAttentionHeads: 12,
  numKeyValueHeads: 2,
  headDim: 128,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 131_072,
  tieWordEmbeddings: false,
  eosTokenId: undefined,
};

/** DeepSeek-R1-Distill-Qwen-7B's. */
export const shape7b: Qwen2Config = {
  ...shape1b5,
  vocabSize: 152_064,
  hiddenSize: 3584,
  intermediateSize: 18_944,
  numAttentionHeads: 28,
  numKeyValueHeads: 4,
};

/** A GPU with f16, subgroups of 32 and memory enough, but without matrix units: for devices that rehearse. */
export const plainGpu: Capabilities = {
  description: "a GPU that is not there",
  vendor: "",
  architecture: "",
  shaderF16: true,
  subgroups: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  subgroupMatrix: [],
  timestampQuery: false,
  software: false,
  maxWorkgroupStorageBytes: 49_152,
  maxInvocationsPerWorkgroup: 1024,
  maxBufferBytes: 2 ** 40,
  maxBindingBytes: 2 ** 31 - 4,
  maxStorageBuffers: 16,
};

/** The same with the matrix units that an H200 shows through Dawn. */
export const matrixGpu: Capabilities = { ...plainGpu, subgroupMatrix: ["f16 f16 16x16x16", "f16 f32 16x16x16"] };
