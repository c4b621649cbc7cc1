import { AdamW, createSchedule } from "@kto/optim";
import { Qwen2ForCausalLM, weightSpecs, type Qwen2Config } from "@kto/qwen2";
import { backward, mean, ParameterBucket, scale, type Device } from "@kto/tensor";
import type { Tokenizer } from "@kto/tokenizer";
import { scoreBatch, type ScoredRow } from "@kto/trainer";
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
 * A model trained from nothing on sums of which half are wrong, every parameter with AdamW. All weights are views of one bucket, so that a step of
 * the optimizer is one dispatch.
 *
 * @returns the model, its caller's to dispose
 */
export async function pretrain(
  device: Device,
  tokenizer: Tokenizer,
  { numSteps, batchSize, learningRate, seed, onStep }: PretrainOptions,
): Promise<Qwen2ForCausalLM> {
  const parameters = initialParameters(device, seed);
  const model = new Qwen2ForCausalLM(tinyConfig, parameters.parameters, { device, dtype: "f32" });
  const schedule = createSchedule({ name: "cosine", learningRate, numTrainingSteps: numSteps, warmupSteps: 0.02 });
  using optimizer = new AdamW([parameters], { beta2: 0.98, weightDecay: 0.01 });
  using gradients = parameters.like("gradients");
  for (let step = 0; step < numSteps; step++) {
    const rows = Array.from({ length: batchSize }, (_, row) => noisySum(tokenizer, seed, step * batchSize + row));
    const loss = device.scope("pretraining step", () => {
      const { logProbs } = scoreBatch(model, rows); // [batchSize]
      const loss = scale(mean(logProbs), -1); // []
      gradients.clear();
      backward(loss, { sink: gradients.sink(parameters) }).dispose();
      optimizer.apply([gradients], { learningRate: schedule.rate(step), maxGradNorm: 1 });
      return loss.detach();
    });
    onStep?.(step + 1, await loss.item());
    loss.dispose();
  }
  parameters.flat.dispose(); // the model's views keep the memory
  return model;
}

/** Row `index` of an endless list of sums, half of them wrong: a wrong answer is any other number. */
function noisySum(tokenizer: Tokenizer, seed: number, index: number): ScoredRow {
  const luck = (purpose: number): number => uniform(seed, index, purpose);
  const sum = allSums[Math.floor(luck(0) * allSums.length)]!;
  const right = sum.a + sum.b;
  const numAnswers = 2 * numberLimit - 1;
  const answer = luck(1) < rightShare ? right : (right + 1 + Math.floor(luck(2) * (numAnswers - 1))) % numAnswers;
  return {
    promptIds: tokenizer.applyChatTemplate(questionMessages(sum), { addGenerationPrompt: true }),
    completionIds: tokenizer.encode(`${answer}<|end|>`, { addSpecialTokens: false }),
  };
}

/** N(0, 1 / numColumns) for matrices, N(0, embeddingStd²) for the embedding, ones for norms, zeros for biases. */
function initialParameters(device: Device, seed: number): ParameterBucket {
  const parameters = new ParameterBucket(device, weightSpecs(tinyConfig), "weights");
  parameters.requiresGrad = true;
  const normal = normals(seed);
  for (const [name, { shape, size }] of parameters.parameters) {
    const std = name.includes("embed_tokens") ? embeddingStd : shape.at(-1)! ** -0.5;
    const values = new Float32Array(size);
    if (name.endsWith("norm.weight")) values.fill(1);
    else if (!name.endsWith(".bias")) for (let i = 0; i < size; i++) values[i] = normal() * std;
    device.writeBytes(parameters.get(name), new Uint8Array(values.buffer));
  }
  return parameters;
}
