import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderStore } from "@kto/core/node";
import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel, type LoraConfig } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { DPOTrainer, TrainerConfigError, type DPOConfig, type MemoryPlan, type TrainLog } from "../index.js";
import { tinyModel } from "../testing/tiny-model.js";
import { tinyPairs } from "../testing/tiny-pairs.js";

const lora: Partial<LoraConfig> = { r: 4, loraAlpha: 8, targetModules: "all-linear" };
const args: Partial<DPOConfig> = {
  perDeviceTrainBatchSize: 4,
  gradientAccumulationSteps: 1,
  numTrainEpochs: 2,
  learningRate: 2e-2,
  loggingSteps: 1,
  saveStrategy: "no",
  maxLength: 16,
};

let device: Device;
let base: Qwen2ForCausalLM;
let folder: string;
beforeAll(async () => {
  device = await requestDevice();
  base = tinyModel(device);
});
afterAll(() => {
  base.dispose();
  device.dispose();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dpo-trainer-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("a run", () => {
  it("begins at log 2, learns, and reports like trl", async () => {
    const { logs } = await run({ trainSamplingStrategy: "sequential" });
    expect(logs.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(logs[0]!.loss).toBeCloseTo(Math.LN2, 6);
    expect(logs[0]!.metrics["rewards/accuracies"]).toBe(0);
    expect(logs.at(-1)!.loss).toBeLessThan(0.6);
    expect(logs.at(-1)!.metrics["rewards/accuracies"]).toBe(1);
  });

  it("takes another order in each epoch, by data_seed, or by seed", async () => {
    const losses = async (given: Partial<DPOConfig>): Promise<number[]> =>
      (await run({ learningRate: 0, ...given })).logs.map(({ metrics }) => metrics["logps/chosen"]!);
    const seeded = await losses({ seed: 7 });
    expect(seeded.slice(0, 3)).not.toEqual(seeded.slice(3));
    expect(await losses({ seed: 8, dataSeed: 7 })).toEqual(seeded);
    expect(await losses({ seed: 8 })).not.toEqual(seeded);
    const inOrder = await losses({ trainSamplingStrategy: "sequential" });
    expect(inOrder.slice(0, 3)).toEqual(inOrder.slice(3));
  });

  it("of one row at a time and accumulated is that of four rows", async () => {
    const whole = await run({ loggingSteps: 1 });
    const accumulated = await run({ perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 4 });
    expectSame(accumulated, whole, 2e-5);
  });

  it("with layers run again has the numbers of one that keeps their activations", async () => {
    expectSame(
      await run({ gradientCheckpointing: true, useWeighting: true }),
      await run({ gradientCheckpointing: false, useWeighting: true }),
      1e-6,
    );
  });

  it("with prompts that both answers share has the numbers of one that computes them twice, in less room", async () => {
    expectSame(await run({ sharedPrompts: true }), await run({ sharedPrompts: false }), 1e-5);
    const [shared, apart] = [await planned({ sharedPrompts: true }), await planned({ sharedPrompts: false })];
    expect(shared.largestMicroBatch).toBeLessThan(apart.largestMicroBatch);
    expect(await planned({ disableDropout: false })).toMatchObject({ largestMicroBatch: apart.largestMicroBatch }); // a draw for each row
  });

  it("with precomputed references gives the numbers of one without", async () => {
    expectSame(await run({ precomputeRefLogProbs: true, precomputeRefBatchSize: 3 }), await run(), 1e-5);
  });

  it.each([2, 4])("resumed after update %i goes on to the bit, in the midst of an epoch's order", async (step) => {
    const whole = await run();
    await run({ saveStrategy: "steps", saveSteps: step }, { stopAfter: step, store: true });
    const rest = await run({}, { store: true, resumeFrom: `checkpoint-${step}` });
    expect(rest.adapter).toEqual(whole.adapter);
    expect(rest.logs.map(({ loss }) => loss)).toEqual(whole.logs.slice(step).map(({ loss }) => loss));
  });

  it("under a budget of memory goes through in several passes, with the numbers of one without", async () => {
    const plain = await run({ gradientCheckpointing: false });
    const { peakBytes, residentBytes } = await planned({ gradientCheckpointing: false });
    try {
      device.memory.budgetBytes = Math.floor(residentBytes + 0.75 * (peakBytes - residentBytes));
      const layout = await planned({});
      expect(layout.tokensPerPass).toBeLessThan(layout.largestMicroBatch);
      expectSame(await run(), plain, 2e-5);
    } finally {
      device.memory.budgetBytes = undefined;
    }
  });

  it("evaluates as it trains", async () => {
    using model = getPeftModel(base, lora, { seed: 3 });
    const trainer = new DPOTrainer({ model, prepared: { eval: tinyPairs(6) }, args });
    const record = await trainer.evaluate();
    expect(record.eval_loss).toBeCloseTo(Math.LN2, 6);
    expect(Object.keys(record)).toEqual(
      expect.arrayContaining(["eval_rewards/margins", "eval_mean_token_accuracy", "eval_logits/rejected"]),
    );
  });
});

describe("options that do not go together are refused before anything is loaded", () => {
  it.each<[Partial<DPOConfig>, string]>([
    [{ lossType: "kto_pair" as "sigmoid" }, "lossType is not usable; expected one or more of sigmoid, hinge, ipo"],
    [{ lossType: ["sigmoid", "sft"], lossWeights: [1] }, "lossWeights is of another count than the losses; expected 2"],
    [{ labelSmoothing: 0.1 }, "labelSmoothing is read by none of the losses (sigmoid)"],
    [{ lossType: "exo_pair" }, "labelSmoothing is too small for exo_pair"],
    [{ lossType: "sft", ldAlpha: 0.5 }, "ldAlpha is without meaning for sft"],
    [{ lossType: ["sigmoid", "aot"], useWeighting: true }, "useWeighting is without meaning for aot"],
    [{ lossType: "sft", useWeighting: true }, "useWeighting is without meaning for sft"],
    [{ ldAlpha: 2 }, "ldAlpha is not usable; expected a number from 0 to 1"],
  ])("%j", (given, message) => {
    const make = (): DPOTrainer => new DPOTrainer({ model: base, peftConfig: lora, trainDataset: Dataset.from<DataRow>([]), args: given });
    expect(make).toThrow(TrainerConfigError);
    expect(make).toThrow(message);
  });
});

interface Run {
  logs: TrainLog[];
  adapter: Map<string, { a: Float32Array; b: Float32Array }>;
}

async function run(
  given: Partial<DPOConfig> = {},
  { store = false, stopAfter, resumeFrom }: { store?: boolean; stopAfter?: number; resumeFrom?: string } = {},
): Promise<Run> {
  const before = device.memory.info().liveStorages;
  const model = getPeftModel(base, lora, { seed: 3 });
  try {
    const trainer = new DPOTrainer({
      model,
      prepared: { train: tinyPairs(12) },
      args: { ...args, ...given },
      ...(store && { output: folderStore(folder) }),
    });
    const logs: TrainLog[] = [];
    for await (const log of trainer.train({ ...(resumeFrom && { resumeFrom }) })) {
      logs.push(log);
      if (stopAfter !== undefined && log.step > stopAfter) break;
    }
    return { logs, adapter: await model.readAdapter() };
  } finally {
    model.dispose();
    expect(device.memory.info().liveStorages, "buffers left over").toBe(before);
  }
}

/** How a run will be laid out. */
async function planned(given: Partial<DPOConfig>): Promise<MemoryPlan> {
  using model = getPeftModel(base, lora, { seed: 3 });
  return (await new DPOTrainer({ model, prepared: { train: tinyPairs(12) }, args: { ...args, ...given } }).plan()).memory;
}

/** Largest and mean signed difference of the losses. */
function expectSame(found: Run, expected: Run, tolerance: number): void {
  const differences = found.logs.map(({ loss }, index) => loss - expected.logs[index]!.loss);
  expect(differences).toHaveLength(expected.logs.length);
  expect(Math.max(...differences.map(Math.abs))).toBeLessThan(tolerance);
  expect(Math.abs(differences.reduce((sum, value) => sum + value, 0) / differences.length)).toBeLessThan(tolerance / 3);
}
