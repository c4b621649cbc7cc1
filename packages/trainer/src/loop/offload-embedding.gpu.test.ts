import { Dataset } from "@kto/datasets";
import { getPeftModel } from "@kto/lora";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KTOTrainer, type KTOConfig, type TrainerEvent } from "../index.js";
import { seededNormals, tinyConfig, tinyModel, tinyRows } from "../testing/tiny-model.js";

/** Tokens enough for an embedding that has a buffer of its own. */
const vocabSize = 50_000;

let device: Device;
let base: Qwen2ForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
  const config = { ...tinyConfig, vocabSize, tieWordEmbeddings: false };
  using made = Qwen2ForCausalLM.initialize(config, { device, random: seededNormals(1), std: 0.3 });
  const weights = new Map([...made.weights].map(([name, weight]) => [name, device.copyOf(weight)])); // each by itself, as when it is loaded to be adapted
  base = new Qwen2ForCausalLM(config, weights, { device, dtype: "f32" });
  base.prepare(64);
});
afterAll(() => {
  base.dispose();
  device.dispose();
});

function trainerOf(
  model: Qwen2ForCausalLM,
  args: Partial<KTOConfig>,
  onEvent: (event: TrainerEvent) => void = () => undefined,
): KTOTrainer {
  return new KTOTrainer({
    model: getPeftModel(model, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 }),
    trainDataset: Dataset.from(tinyRows(8)),
    args: { perDeviceTrainBatchSize: 4, learningRate: 2e-2, maxSteps: 4, loggingSteps: 1, saveStrategy: "no", maxLength: 16, ...args },
    onEvent,
  });
}

async function run(
  args: Partial<KTOConfig>,
  onEvent?: (event: TrainerEvent) => void,
): Promise<{ losses: number[]; planned: number; held: number }> {
  await device.memory.trim();
  const trainer = trainerOf(base, args, onEvent);
  const planned = await trainer.plan();
  const losses: number[] = [];
  for await (const { loss } of planned.train()) losses.push(loss);
  const held = device.memory.info().inUseBytes;
  trainer.model.dispose();
  return { losses, planned: planned.memory.peakBytes, held };
}

test("a run without the embedding on the device has the same numbers to the bit, and plans and holds so much less, also when something brought it back meanwhile", async () => {
  const embeddingBytes = 4 * vocabSize * tinyConfig.hiddenSize;
  const whole = await run({});
  const offloaded = await run({ offloadEmbedding: true });
  expect(offloaded.losses).toEqual(whole.losses);
  expect(new Set(whole.losses).size).toBeGreaterThan(1);
  expect(whole.planned - offloaded.planned).toBeGreaterThan(0.9 * embeddingBytes);
  expect(whole.held - offloaded.held).toBeGreaterThan(0.9 * embeddingBytes);
  const disturbed = await run({ offloadEmbedding: true }, ({ type }) => {
    if (type === "update") void base.embeddings.input.weight;
  });
  expect(disturbed.losses).toEqual(whole.losses);
});

test("a model that cannot do without its embedding is refused, by the name of the field", async () => {
  using tied = tinyModel(device);
  const trainer = trainerOf(tied, { offloadEmbedding: true });
  await expect(trainer.plan()).rejects.toThrow(
    "train: offloadEmbedding is true and the model cannot do without its embedding; expected a frozen embedding that is not the head, got one that is the head too (tie_word_embeddings); leave it out",
  );
  trainer.model.dispose();
});
