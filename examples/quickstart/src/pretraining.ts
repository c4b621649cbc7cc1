import { Dataset, type DataRow } from "@kto/datasets";
import { Qwen2ForCausalLM, type Qwen2Config } from "@kto/qwen2";
import type { Device } from "@kto/tensor";
import type { Tokenizer } from "@kto/tokenizer";
import { SFTTrainer } from "@kto/trainer";
import { normals, uniform } from "./seeded.js";
import { allSums, numberLimit, questionMessages } from "./sums.js";
import { vocabulary } from "./tokenizer-files.js";

/** The shape of the quickstart's model: 87,680 parameters. */
export const tinyConfig: Qwen2Config = {
  modelType: "qwen2",
  vocabSize: vocabulary.length,
  hiddenSize: 64,
  intermediateSize: 160,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 16,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 64,
  tieWordEmbeddings: true,
  eosTokenId: vocabulary.indexOf("<|end|>"),
};

/** Share of right answers in what the model learns from. */
const rightShare = 0.5;

/** Spread of the initial embedding, which is the output head too. */
const embeddingStd = 0.125;

/** How long and how fast. */
export interface PretrainOptions {
  numSteps: number;
  batchSize: number;
  learningRate: number;
  seed: number;
  onStep?(step: number, loss: number): void;
}

/**
 * A model trained from nothing on sums of which half are wrong, every weight of it, by the trainer that fine-tunes models too.
 *
 * @returns the model, its caller's to dispose
 */
export async function pretrain(
  device: Device,
  tokenizer: Tokenizer,
  { numSteps, batchSize, learningRate, seed, onStep }: PretrainOptions,
): Promise<Qwen2ForCausalLM> {
  const model = Qwen2ForCausalLM.initialize(tinyConfig, { device, random: normals(seed), std: initialStd });
  const trainer = new SFTTrainer({
    model,
    trainDataset: Dataset.from(Array.from({ length: numSteps * batchSize }, (_, index) => noisySum(tokenizer, seed, index))),
    args: {
      maxSteps: numSteps,
      perDeviceTrainBatchSize: batchSize,
      trainSamplingStrategy: "sequential",
      learningRate,
      lrSchedulerType: "cosine",
      warmupSteps: 0.02,
      adamBeta2: 0.98,
      weightDecay: 0.01,
      maxGradNorm: 1,
      loggingSteps: 1,
      saveStrategy: "no",
    },
  });
  try {
    for await (const { step, loss } of trainer.train()) onStep?.(step, loss);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Row `index` of an endless list of sums, half of them wrong: a wrong answer is any other number. */
function noisySum(tokenizer: Tokenizer, seed: number, index: number): DataRow {
  const luck = (purpose: number): number => uniform(seed, index, purpose);
  const sum = allSums[Math.floor(luck(0) * allSums.length)]!;
  const right = sum.a + sum.b;
  const numAnswers = 2 * numberLimit - 1;
  const answer = luck(1) < rightShare ? right : (right + 1 + Math.floor(luck(2) * (numAnswers - 1))) % numAnswers;
  const prompt = tokenizer.applyChatTemplate(questionMessages(sum), { addGenerationPrompt: true });
  const completion = tokenizer.encode(`${answer}<|end|>`, { addSpecialTokens: false });
  return { input_ids: [...prompt, ...completion], completion_mask: [...prompt.map(() => 0), ...completion.map(() => 1)] };
}

/** 1 / √numColumns for matrices, and `embeddingStd` for the embedding. */
function initialStd(name: string, shape: readonly number[]): number {
  return name.includes("embed_tokens") ? embeddingStd : shape.at(-1)! ** -0.5;
}
