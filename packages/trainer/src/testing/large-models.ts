import type { Qwen2Config } from "@kto/qwen2";

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
