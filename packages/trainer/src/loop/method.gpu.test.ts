import { memoryStore, type Store } from "@kto/core";
import { Dataset } from "@kto/datasets";
import { getPeftModel, type LoraWeights } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Trainer, trainingConfig, type TrainingConfig, type TrainLog } from "../index.js";
import { completionMethod } from "../testing/completion-method.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";

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

interface Run {
  logs: TrainLog[];
  adapter: Map<string, LoraWeights>;
  lossHistory: unknown;
}

/** Trains with the method of `testing/completion-method.ts`. */
async function run(given: Partial<TrainingConfig>, { output, resumeFrom }: { output?: Store; resumeFrom?: true } = {}): Promise<Run> {
  using model = getPeftModel(base, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
  const trainer = new Trainer({
    method: completionMethod,
    model,
    args: trainingConfig({
      perDeviceTrainBatchSize: 3,
      gradientAccumulationSteps: 2,
      maxSteps: 6,
      learningRate: 2e-2,
      loggingSteps: 2,
      saveStrategy: "no",
      evalStrategy: "steps",
      ...given,
    }),
    trainDataset: Dataset.from(tinyRows(14)),
    evalDataset: Dataset.from(tinyRows(4)),
    output,
  });
  const logs: TrainLog[] = [];
  for await (const log of trainer.train({ resumeFrom })) logs.push(log);
  const lossHistory = trainer.progress.logHistory.map(({ loss, eval_loss: evalLoss, step }) => ({ loss, evalLoss, step }));
  return { logs, adapter: await model.readAdapter(), lossHistory };
}

test("a method of some 70 lines learns, logs and evaluates", async () => {
  const { logs, lossHistory } = await run({});
  expect(logs.map(({ step }) => step)).toEqual([2, 4, 6]);
  expect(Object.keys(logs[0]!.metrics).sort()).toEqual(["entropy", "num_tokens", "token_loss"]);
  expect(logs.at(-1)!.loss).toBeLessThan(0.8 * logs[0]!.loss);
  expect(logs[0]!.rewards.margins).toBeUndefined();
  expect(lossHistory).toHaveLength(3 + 3 + 1);
});

test("and resumes from a checkpoint to the bit", async () => {
  const whole = await run({});
  for (const stop of [1, 3]) {
    const output = memoryStore();
    await run({ maxSteps: 6, saveStrategy: "steps", saveSteps: stop }, { output });
    for (const { name } of await output.list()) if (name !== `checkpoint-${stop}`) await output.remove(name);
    const rest = await run({}, { output, resumeFrom: true });
    expect(rest.adapter).toEqual(whole.adapter);
    expect(rest.lossHistory).toEqual(whole.lossHistory);
  }
});

test("goes through in parts where memory asks for it, with the same gradients", async () => {
  const whole = await run({ gradientCheckpointing: false, maxSteps: 2, loggingSteps: 1 });
  device.memory.budgetBytes = device.memory.info().inUseBytes + 600_000;
  try {
    const split = await run({ gradientCheckpointing: "auto", maxSteps: 2, loggingSteps: 1 });
    expect(split.logs[0]!.loss).toBeCloseTo(whole.logs[0]!.loss, 5);
    expect(split.logs[0]!.gradNorm / whole.logs[0]!.gradNorm).toBeCloseTo(1, 4);
  } finally {
    device.memory.budgetBytes = undefined;
  }
});
