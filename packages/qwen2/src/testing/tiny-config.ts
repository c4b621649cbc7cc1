import type { Qwen2Config } from "../index.js";

/** A decoder of one layer and eleven tokens. */
export const tinyConfig: Qwen2Config = {
  modelType: "qwen2",
  vocabSize: 11,
  hiddenSize: 6,
  intermediateSize: 10,
  numHiddenLayers: 1,
  numAttentionHeads: 3,
  numKeyValueHeads: 1,
  headDim: 2,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 8,
  tieWordEmbeddings: true,
  eosTokenId: undefined,
};
