import type { Qwen2Config } from "@kto/qwen2";

/** Shapes of models that are timed. */
export const benchShapes = ["tiny", "1.5b", "7b"] as const;

/** Name of one. */
export type BenchShape = (typeof benchShapes)[number];

/** How large everything is. */
export interface BenchSize {
  shape: BenchShape;
  config: Qwen2Config;
  /** Tokens of the products and of the passes over them. */
  tokens: readonly number[];
  /** Of a training step: rows of a micro-batch, micro-batches, tokens of a row, and updates that are timed. */
  step: { rows: number; accumulate: number; tokens: number; updates: number };
  generation: { rows: readonly number[]; promptTokens: number; newTokens: number; answers: number };
  /** Weights that GGUF's types are timed with. */
  ggufWeights: number;
}

/** DeepSeek-R1-Distill-Qwen-1.5B's shape: 1,777,088,000 parameters. */
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

/** DeepSeek-R1-Distill-Qwen-7B's: 7,615,616,512 parameters. */
export const shape7b: Qwen2Config = {
  ...shape1b5,
  vocabSize: 152_064,
  hiddenSize: 3584,
  intermediateSize: 18_944,
  numAttentionHeads: 28,
  numKeyValueHeads: 4,
};

const tiny: Qwen2Config = {
  ...shape1b5,
  vocabSize: 512,
  hiddenSize: 64,
  intermediateSize: 128,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 16,
};

/** The sizes of a shape; `quick` for a first look. */
export function benchSize(shape: BenchShape, { quick = false }: { quick?: boolean } = {}): BenchSize {
  if (shape === "tiny")
    return {
      shape,
      config: tiny,
      tokens: [64],
      step: { rows: 2, accumulate: 1, tokens: 32, updates: quick ? 1 : 3 },
      generation: { rows: [1], promptTokens: 8, newTokens: 8, answers: quick ? 1 : 3 },
      ggufWeights: quick ? 2 ** 16 : 2 ** 18,
    };
  return {
    shape,
    config: shape === "7b" ? shape7b : shape1b5,
    tokens: quick ? [2048] : [2048, 4096],
    step: { rows: 4, accumulate: 2, tokens: 512, updates: quick ? 3 : 8 },
    generation: { rows: quick ? [1] : [1, 8], promptTokens: 128, newTokens: quick ? 64 : 256, answers: quick ? 3 : 7 },
    ggufWeights: quick ? 2 ** 17 : 2 ** 20,
  };
}
