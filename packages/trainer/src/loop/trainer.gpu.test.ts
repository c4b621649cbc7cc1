import { memoryStore, readText, type Store } from "@kto/core";
import { Dataset } from "@kto/datasets";
import { getPeftModel, parseAdapterConfig, type LoraWeights } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { full, requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KTOTrainer, type KTOConfig, type KTOTrainerOptions } from "../index.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";

const peftConfig = { r: 4, loraAlpha: 8, targetModules: "all-linear" } as const;
const settings: Partial<KTOConfig> = { perDeviceTrainBatchSize: 4, maxSteps: 3, learningRate: 1e-2, loggingSteps: 1, saveSteps: 2 };

let device: Device;
let base: Qwen2ForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
  base = tinyModel(device);
});
afterAll(() => {
  base.dispose();
  device.dispose();
});

const trainerOf = (given: Partial<KTOConfig> = {}, output?: KTOTrainerOptions["output"]): KTOTrainer =>
  new KTOTrainer({ model: base, peftConfig, trainDataset: Dataset.from(tinyRows(12)), args: { ...settings, ...given }, output });

/** The adapter of a whole run. */
async function trained(given: Partial<KTOConfig>, output: Store): Promise<Map<string, LoraWeights>> {
  using trainer = trainerOf(given, output);
  await trainer.train();
  return trainer.model.readAdapter();
}

describe("a planned run", () => {
  test("is a value: nothing is trained or written for it, and nothing is left", async () => {
    const { liveStorages } = device.memory.info();
    const output = memoryStore();
    {
      using trainer = trainerOf({}, output);
      const before = await trainer.model.readAdapter();
      const run = await trainer.plan();
      expect(run).toMatchObject({ startStep: 0, isFinished: false, resumedFrom: undefined, differences: [], numWarmupUpdates: 0 });
      expect(run.counts).toMatchObject({ numRows: 12, totalUpdates: 3, updatesPerEpoch: 3 });
      expect(run.memory.peakBytes).toBeGreaterThan(run.memory.residentBytes);
      expect(await trainer.model.readAdapter()).toEqual(before);
      expect(await output.list()).toEqual([]);
      expect(await run.train()).toMatchObject({ globalStep: 3 });
      expect(await trainer.model.readAdapter()).not.toEqual(before);
      await expect(trainer.train()).rejects.toMatchObject({
        code: "TRAINER_USAGE",
        message: expect.stringContaining("has trained already"),
      });
    }
    expect(device.memory.info().liveStorages).toBe(liveStorages);
  });

  test("that goes on with other settings says which, and takes its place in the data from them", async () => {
    const output = memoryStore();
    await trained({ maxSteps: 2 }, output);
    using second = trainerOf({ maxSteps: 4, learningRate: 5e-3, perDeviceTrainBatchSize: 6, loggingSteps: 2 }, output);
    const run = await second.plan({ resumeFrom: true });
    expect(run).toMatchObject({ resumedFrom: "checkpoint-2", startStep: 2, isFinished: false });
    expect(new Set(run.differences)).toEqual(
      new Set([
        { field: "maxSteps", before: 2, now: 4 },
        { field: "learningRate", before: 1e-2, now: 5e-3 },
        { field: "perDeviceTrainBatchSize", before: 4, now: 6 },
      ]),
    );
    const logs = [];
    for await (const log of run.train()) logs.push(log);
    expect(logs.map(({ step, epoch }) => [step, epoch])).toEqual([[4, 2]]); // two updates an epoch now
    expect(logs[0]!.learningRate).toBeCloseTo(5e-3 / 4, 12);
  });

  test("of a checkpoint at the end is finished", async () => {
    const output = memoryStore();
    const adapter = await trained({}, output);
    using again = trainerOf({}, output);
    const run = await again.plan({ resumeFrom: true });
    expect(run).toMatchObject({ startStep: 3, isFinished: true, differences: [] });
    expect(await run.train()).toMatchObject({ globalStep: 3, metrics: { train_steps_per_second: 0 } });
    expect(await again.model.readAdapter()).toEqual(adapter);
  });
});

test("a trainer that is asked twice at once trains once; one whose output was refused may be asked again", async () => {
  let refuses = true;
  const output = {
    store: memoryStore(),
    check: async () => {
      if (refuses) throw new Error("in use");
    },
  };
  using trainer = trainerOf({}, output);
  await expect(trainer.train()).rejects.toThrow("in use");
  refuses = false;
  const [first, second] = await Promise.allSettled([trainer.train(), trainer.train()]);
  expect(first).toMatchObject({ status: "fulfilled", value: { globalStep: 3 } });
  expect(second).toMatchObject({ status: "rejected", reason: { message: expect.stringContaining("has trained already") } });
  expect(() => trainer.output).toThrow(/what it came to is in result/);
});

test("saveModel writes adapter, card, tokenizer files and state to output, or to the store given", async () => {
  const output = memoryStore();
  const tokenizer = { encode: () => [], applyChatTemplate: () => [], files: () => new Map([["tokenizer.json", "{}"]]) };
  using model = Object.assign(tinyModel(device), { tokenizer, name: "org/tiny" });
  using trainer = new KTOTrainer({
    model,
    peftConfig,
    trainDataset: Dataset.from(tinyRows(8)),
    args: { ...settings, saveStrategy: "no" },
    output,
  });
  await trainer.train();
  await trainer.saveModel();
  const elsewhere = memoryStore();
  await trainer.saveModel(elsewhere);
  const names = ["README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "trainer_state.json"];
  for (const store of [output, elsewhere]) expect((await store.list()).map(({ name }) => name)).toEqual(names);
  expect(parseAdapterConfig((await readText(output, "adapter_config.json"))!)).toMatchObject({ r: 4, baseModelNameOrPath: "org/tiny" });
  expect((await readText(output, "trainer_state.json"))!).toBe(trainer.state());
  expect(JSON.parse(trainer.state())).toMatchObject({ global_step: 3, kto: { num_rows: 8, arguments: { learningRate: 1e-2 } } });
  expect((await readText(output, "README.md"))!).toContain("- kto");
});

test("logs, evaluates and ends under every key of trl 1.16's KTOTrainer", async () => {
  const rows = Dataset.from(tinyRows(12));
  const args: Partial<KTOConfig> = { ...settings, evalStrategy: "steps", evalSteps: 3, saveStrategy: "no" };
  using trainer = new KTOTrainer({ model: base, peftConfig, trainDataset: rows, evalDataset: rows, args });
  await trainer.train();
  const { logHistory } = trainer.progress;
  const both = ["entropy", "kl", "logits/chosen", "logits/rejected", "logps/chosen", "logps/rejected", "num_tokens"];
  const metrics = [...both, "rewards/chosen", "rewards/margins", "rewards/rejected"];
  const evaluation = ["loss", "runtime", "samples_per_second", "steps_per_second", ...metrics].map((name) => `eval_${name}`);
  const keysOf = (record: object): string[] => Object.keys(record).sort();
  expect(keysOf(logHistory[0]!)).toEqual(["loss", "grad_norm", "learning_rate", ...metrics, "epoch", "step"].sort());
  expect(keysOf(logHistory.find((record) => "eval_loss" in record)!)).toEqual([...evaluation, "epoch", "step"].sort());
  expect(new Set(keysOf(await trainer.evaluate()))).toEqual(new Set([...evaluation, "epoch", "step"]));
  const again = await trainer.evaluate(); // after the run it is still compared with what the run began from
  const inRun = logHistory.find((record) => "eval_loss" in record)!;
  for (const name of ["eval_loss", "eval_kl", "eval_rewards/margins", "eval_num_tokens"]) expect(again[name]).toBe(inRun[name]);
  expect(again["eval_rewards/margins"]).not.toBe(0);
  const ended = ["epoch", "step", "total_flos", "train_loss", "train_runtime", "train_samples_per_second", "train_steps_per_second"];
  expect(logHistory.map(keysOf)).toContainEqual(ended);
});

test("an evaluation after a run that continued an adapter compares with the adapter it began from", async () => {
  using model = getPeftModel(base, { ...peftConfig, initLoraWeights: false }, { seed: 3 });
  const rows = Dataset.from(tinyRows(8));
  const args: Partial<KTOConfig> = { ...settings, evalStrategy: "steps", evalSteps: 3, saveStrategy: "no" };
  const trainer = new KTOTrainer({ model, trainDataset: rows, evalDataset: rows, args });
  expect((await trainer.evaluate())["eval_rewards/margins"]).toBe(0);
  await trainer.train();
  const inRun = trainer.progress.logHistory.find((record) => "eval_loss" in record)!;
  expect(inRun["eval_rewards/margins"]).not.toBe(0);
  expect((await trainer.evaluate())["eval_rewards/margins"]).toBe(inRun["eval_rewards/margins"]);
  expect(model.adapters.size).toBe(1);
});

describe("the reference of a run", () => {
  const lossesOf = async (change: (model: ReturnType<typeof getPeftModel>) => void): Promise<[loss: number, numAdapters: number]> => {
    using model = getPeftModel(base, peftConfig, { seed: 3 });
    change(model);
    let numAdapters = 0;
    const trainer = new KTOTrainer({
      model,
      trainDataset: Dataset.from(tinyRows(8)),
      args: { ...settings, maxSteps: 1, saveStrategy: "no" },
      onEvent: () => (numAdapters = Math.max(numAdapters, model.adapters.size)),
    });
    await trainer.train();
    return [trainer.progress.logHistory[0]!["loss"]!, numAdapters];
  };

  test("is the base while the adapter stands there, and a copy of it once it was trained, in whatever way", async () => {
    expect(await lossesOf(() => undefined)).toEqual([0.5, 1]);
    const byHand = await lossesOf((model) => {
      for (const [name, parameter] of model.activeAdapter.bucket.parameters)
        if (name.endsWith("lora_B")) device.scope(() => device.copyInto(parameter, full(device, parameter.shape, 0.3, "f32")));
    });
    expect(byHand).toEqual([0.5, 2]);
  });
});

describe("options that cannot work are one clear error", () => {
  test.each<[string, object, RegExp]>([
    ["none", {}, /^KTOTrainer: model is missing; expected .*, got undefined; pass e\.g\. \{ model, peftConfig/],
    [
      "a model without an adapter",
      { model: {} },
      /has no adapter to train, and its weights cannot be trained .*; expected peftConfig.*\{ trainable: true \}/,
    ],
    ["isFreshAdapter", { isFreshAdapter: true }, /isFreshAdapter is no option any more; use nothing: an adapter knows/],
    ["checkpoints", { checkpoints: {} }, /checkpoints is no option any more; use output/],
    ["memoryBudgetBytes", { memoryBudgetBytes: 1 }, /memoryBudgetBytes is no option any more; use device\.memory\.budgetBytes/],
    ["a path for a model", { model: "folder" }, /model is not usable; expected an open model, got "folder"; pass await loadModel/],
    [
      "a path for data",
      { model: {}, trainDataset: "x.jsonl" },
      /trainDataset is not usable; expected a Dataset, got "x\.jsonl"; pass await loadDataset/,
    ],
    [
      "plain rows",
      { model: {}, evalDataset: [] },
      /evalDataset is not usable; expected a Dataset, got an array; pass .* Dataset\.from\(rows\)/,
    ],
    ["a path for an output", { model: {}, output: "outputs" }, /output is not usable; .* got "outputs"; pass directory\(path\)/],
    ["nothing at all", undefined as never, /^KTOTrainer: there are no options; expected a model/],
  ])("%s", (_what, options, message) => {
    expect(() => new KTOTrainer(options as KTOTrainerOptions)).toThrow(message);
  });

  test("an adapter and a peftConfig, no data, no place to save to, a state of nothing", async () => {
    using model = getPeftModel(base, peftConfig);
    expect(() => new KTOTrainer({ model, peftConfig })).toThrow(/the model has an adapter and there is a peftConfig/);
    const trainer = new KTOTrainer({ model });
    await expect(trainer.plan()).rejects.toThrow(/there is no train dataset; pass trainDataset/);
    await expect(trainer.saveModel()).rejects.toThrow(/there is no place to write to/);
    expect(() => trainer.state()).toThrow(/no state before a run is planned/);
  });
});
