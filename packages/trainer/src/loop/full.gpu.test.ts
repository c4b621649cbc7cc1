import { memoryStore, readText, type Store } from "@kto/core";
import { Dataset } from "@kto/datasets";
import { getPeftModel } from "@kto/lora";
import { loadCausalLM, Qwen2ForCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { OutOfMemoryError, requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNoBuffersLeft } from "../../../testing/src/no-buffers-left.js";
import { DPOTrainer, KTOTrainer, type KTOConfig, type LogRecord } from "../index.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";
import { tinyPairs } from "../testing/tiny-pairs.js";

const settings: Partial<KTOConfig> = {
  perDeviceTrainBatchSize: 4,
  maxSteps: 4,
  learningRate: 1e-2,
  weightDecay: 0.1,
  loggingSteps: 3, // a checkpoint lies within a window of it
  saveSteps: 2,
};

let device: Device;
/** The weights that every run begins with, as files. */
const start = memoryStore("tiny");
beforeAll(async () => {
  device = await requestDevice();
  using model = tinyModel(device);
  await model.savePretrained(start);
});
afterAll(() => device.dispose());
expectNoBuffersLeft(() => device);

const load = (from: Store = start): Promise<DecoderForCausalLM> => loadCausalLM(from, { device, trainable: true });

async function weightsOf(model: DecoderForCausalLM): Promise<Record<string, ArrayLike<number>>> {
  const weights: Record<string, ArrayLike<number>> = {};
  for (const [name, weight] of model.weights) weights[name] = await weight.read();
  return weights;
}

interface Ran {
  weights: Record<string, ArrayLike<number>>;
  log: LogRecord[];
  peakBytes: number;
  plannedBytes: number;
}

async function run(given: Partial<KTOConfig> = {}, { output, resumeFrom }: { output?: Store; resumeFrom?: true } = {}): Promise<Ran> {
  using model = await load();
  const trainer = new KTOTrainer({ model, trainDataset: Dataset.from(tinyRows(12)), args: { ...settings, ...given }, output });
  const { peakGpuMemoryBytes: peakBytes, plannedGpuMemoryBytes: plannedBytes } = await trainer.train({ resumeFrom });
  const log = trainer.progress.logHistory.filter((one) => "loss" in one);
  if (output) await trainer.saveModel();
  return { weights: await weightsOf(model), log, peakBytes, plannedBytes };
}

const namesIn = async (store: Store, folder: string): Promise<string[]> => (await store.folder(folder).list()).map(({ name }) => name);

describe.each(["adamw_torch", "adamw_8bit"])("%s: every weight", (optim) => {
  test("is trained, within the plan; a run that is resumed is the run straight through, to the bit", async () => {
    const whole = await run({ optim, loggingSteps: 1 });
    expect(whole.log[0]!["loss"]).toBe(0.5);
    expect(whole.peakBytes).toBeLessThanOrEqual(whole.plannedBytes);
    using before = await load();
    for (const [name, values] of Object.entries(await weightsOf(before))) expect(whole.weights[name], name).not.toEqual(values);
    const output = memoryStore();
    await run({ optim }, { output });
    expect(await namesIn(output, "checkpoint-2")).toEqual([
      "config.json",
      "model.safetensors",
      "optimizer.safetensors",
      "trainer_state.json",
    ]);
    await output.remove("checkpoint-4");
    const rest = await run({ optim, loggingSteps: 1 }, { output, resumeFrom: true });
    expect(rest.weights).toEqual(whole.weights);
    expect(rest.log.at(-1)).toEqual(whole.log.at(-1));
  });
});

test("what a run comes to is a model that is loaded, and trained further", async () => {
  const output = memoryStore();
  const { weights } = await run({ maxSteps: 2 }, { output });
  using again = await load(output);
  expect(await weightsOf(again)).toEqual(weights);
  expect(JSON.parse((await readText(output, "config.json"))!)).toMatchObject({ torch_dtype: "float32", tie_word_embeddings: true });
  const card = (await readText(output, "README.md"))!;
  expect(card).toMatch(/library_name: transformers/);
  expect(card).not.toMatch(/lora|peft/i);
  const trainer = new KTOTrainer({ model: again, trainDataset: Dataset.from(tinyRows(12)), args: { ...settings, saveStrategy: "no" } });
  await trainer.train();
  expect(await weightsOf(again)).not.toEqual(weights);
});

test("gradient checkpointing and precomputed references give the same updates", async () => {
  const one = { maxSteps: 2, saveStrategy: "no", loggingSteps: 1 } as const;
  const plain = await run({ ...one, gradientCheckpointing: false });
  expect(await run({ ...one, gradientCheckpointing: true })).toMatchObject({ weights: plain.weights });
  expect((await run({ ...one, gradientCheckpointing: false, precomputeRefLogProbs: true })).log[1]!["loss"]).toBeCloseTo(
    plain.log[1]!["loss"]!,
    6,
  );
});

test("micro-batches that go through together train every weight as those that do not", async () => {
  const given = { perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 2, gradientCheckpointing: false, loggingSteps: 1 } as const;
  const together = await run({ ...given, microBatchesPerPass: 2 });
  const apart = await run({ ...given, microBatchesPerPass: 1 });
  expect(together.log[0]!["loss"]).toBe(0.5);
  expect(together.peakBytes).toBeLessThanOrEqual(together.plannedBytes);
  for (const [index, { loss }] of together.log.entries()) expect(loss).toBeCloseTo(apart.log[index]!["loss"]!, 4);
});

test("a resumed run compares with the weights that it was given, not with those of the checkpoint, live or precomputed", async () => {
  for (const precomputeRefLogProbs of [false, true]) {
    const whole = await run({ precomputeRefLogProbs, loggingSteps: 1 });
    const output = memoryStore();
    await run({ precomputeRefLogProbs }, { output });
    await output.remove("checkpoint-4");
    const rest = await run({ precomputeRefLogProbs, loggingSteps: 1 }, { output, resumeFrom: true });
    expect(rest.weights).toEqual(whole.weights);
    expect(rest.log.at(-1)!["rewards/chosen"]).toBe(whole.log.at(-1)!["rewards/chosen"]);
  }
});

test("evaluations compare with the weights before the run: during it, after it, and before it", async () => {
  using model = await load();
  const data = { trainDataset: Dataset.from(tinyRows(12)), evalDataset: Dataset.from(tinyRows(4)) };
  using trainer = new KTOTrainer({ model, ...data, args: { ...settings, saveStrategy: "no", evalStrategy: "steps", evalSteps: 4 } });
  expect((await trainer.evaluate())["eval_loss"]).toBe(0.5);
  await trainer.train();
  const during = trainer.progress.logHistory.find((one) => "eval_loss" in one)!;
  expect(during["eval_loss"]).not.toBe(0.5);
  expect((await trainer.evaluate())["eval_loss"]).toBe(during["eval_loss"]);
});

test("DPO trains every weight too: its loss begins at ln 2", async () => {
  using model = await load();
  const args = { perDeviceTrainBatchSize: 8, maxSteps: 3, learningRate: 1e-2, loggingSteps: 1, saveStrategy: "no" } as const;
  const trainer = new DPOTrainer({ model, prepared: { train: tinyPairs(8) }, args });
  await trainer.train();
  const losses = trainer.progress.logHistory.flatMap(({ loss }) => loss ?? []);
  expect(losses[0]).toBeCloseTo(Math.LN2, 6);
  expect(losses[2]).toBeLessThan(0.6);
});

describe("refused, in one line", () => {
  test("a model that was not loaded for it, one that carries an adapter, and a checkpoint of the other kind", async () => {
    using plain = await loadCausalLM(start, { device, dtype: "f32" });
    expect(() => new KTOTrainer({ model: plain })).toThrow(/no adapter to train.*\{ trainable: true \}/);
    const output = memoryStore();
    const trainDataset = Dataset.from(tinyRows(8));
    await run({ maxSteps: 1, saveSteps: 1 }, { output });
    {
      using adapted = new KTOTrainer({ model: plain, peftConfig: { r: 2 }, trainDataset, args: settings, output });
      await expect(adapted.plan({ resumeFrom: true })).rejects.toThrow(
        /every weight of a model was trained, and this run trains an adapter/,
      );
    }
    using model = await load();
    const trainer = new KTOTrainer({ model, trainDataset, args: settings });
    using adapter = getPeftModel(model, { r: 2 });
    await expect(trainer.plan()).rejects.toThrow(
      /every weight is to be trained, and model\.layers\.0\.self_attn\.q_proj carries an adapter/,
    );
    const ofAdapter = memoryStore();
    await new KTOTrainer({ model: adapter, trainDataset, args: { ...settings, maxSteps: 1, saveSteps: 1 }, output: ofAdapter }).train();
    adapter.dispose();
    const resumed = new KTOTrainer({ model, trainDataset, args: settings, output: ofAdapter });
    await expect(resumed.plan({ resumeFrom: true })).rejects.toThrow(/an adapter was trained, and this run trains every weight/);
  });

  test("a checkpoint of another model, and a damaged one", async () => {
    const output = memoryStore();
    await run({ maxSteps: 1, saveSteps: 1 }, { output });
    using other = Qwen2ForCausalLM.initialize({ ...(await configOf()), intermediateSize: 48 }, { device, random: () => 0.1 });
    const trainer = new KTOTrainer({ model: other, trainDataset: Dataset.from(tinyRows(8)), args: settings, output });
    await expect(trainer.plan({ resumeFrom: true })).rejects.toThrow(
      /checkpoint-1 does not fit: it is of another model: model\.layers\.0\.mlp\.gate_proj\.weight: expected F32 \[48, 24\], got F32 \[40, 24\]/,
    );
    const file = (await output.open("checkpoint-1/model.safetensors"))!;
    await output.write("checkpoint-1/model.safetensors", (await file.slice(0, file.byteLength)).slice(0, -4));
    using model = await load();
    const resumed = new KTOTrainer({ model, trainDataset: Dataset.from(tinyRows(8)), args: settings, output });
    await expect(resumed.plan({ resumeFrom: "checkpoint-1" })).rejects.toThrow(/checkpoint-1\/model\.safetensors is damaged/);
  });

  test("a budget that weights, gradients, moments and reference do not fit into: what they would take", async () => {
    using model = await load();
    const trainer = new KTOTrainer({ model, trainDataset: Dataset.from(tinyRows(8)), args: settings });
    device.memory.budgetBytes = 5 * 4 * model.numParameters - 1;
    try {
      const refused = trainer.plan();
      await expect(refused).rejects.toThrow(OutOfMemoryError);
      await expect(refused).rejects.toThrow(
        /every one of \d+ weights is to be trained, and that does not fit; expected at most .* MiB of GPU memory, got a need of .* for weights, .* for gradients, .* for moments of the optimizer, .* for a frozen copy to compare with; train an adapter/,
      );
    } finally {
      device.memory.budgetBytes = undefined;
    }
  });
});

async function configOf(): Promise<ConstructorParameters<typeof Qwen2ForCausalLM>[0]> {
  using model = await Qwen2ForCausalLM.fromPretrained(start, { device, dtype: "f32" });
  return model.config;
}
