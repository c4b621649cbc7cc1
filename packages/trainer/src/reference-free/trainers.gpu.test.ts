import { memoryStore, type Store } from "@kto/core";
import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel, type LoraConfig, type LoraWeights } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CPOTrainer, ORPOTrainer, TrainerConfigError, type CPOConfig, type TrainLog, type TrainOutput } from "../index.js";
import { tinyModel } from "../testing/tiny-model.js";
import { tinyPairs } from "../testing/tiny-pairs.js";

const lora: Partial<LoraConfig> = { r: 4, loraAlpha: 8, targetModules: "all-linear" };
const shared: Partial<CPOConfig> = {
  perDeviceTrainBatchSize: 4,
  numTrainEpochs: 2,
  learningRate: 2e-2,
  loggingSteps: 1,
  saveStrategy: "no",
  maxLength: 16,
};
const simpo: Partial<CPOConfig> = { lossType: "simpo", cpoAlpha: 0, beta: 2 };

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

describe.each<["orpo" | "cpo", Partial<CPOConfig>]>([
  ["orpo", {}],
  ["cpo", {}],
])("%s", (name, given) => {
  it("learns within the memory of its plan, and reports like trl", async () => {
    const { logs, output } = await run(name, { ...given, evalStrategy: "epoch" });
    expect(logs).toHaveLength(6);
    expect(logs.at(-1)!.loss).toBeLessThan(0.8 * logs[0]!.loss);
    expect(logs.at(-1)!.metrics["rewards/accuracies"]).toBe(1);
    const names = ["logits/chosen", "logps/rejected", "nll_loss", ...(name === "orpo" ? ["log_odds_ratio", "log_odds_chosen"] : [])];
    expect(Object.keys(logs[0]!.metrics)).toEqual(expect.arrayContaining(names));
    expect(output.peakGpuMemoryBytes).toBeLessThanOrEqual(output.plannedGpuMemoryBytes);
  });

  it("resumed after update 4 goes on to the bit, in the midst of an epoch's order", async () => {
    const whole = await run(name, given);
    const store = memoryStore();
    await run(name, { ...given, saveStrategy: "steps", saveSteps: 4 }, { store, stopAfter: 4 });
    const rest = await run(name, given, { store, resumeFrom: "checkpoint-4" });
    expect(rest.adapter).toEqual(whole.adapter);
    expect(rest.logs.map(({ loss }) => loss)).toEqual(whole.logs.slice(4).map(({ loss }) => loss));
  });
});

it("SimPO of one pair at a time and accumulated is that of four pairs, and layers that are run again change nothing", async () => {
  const whole = await run("cpo", { ...simpo, gradientCheckpointing: false });
  for (const [changes, tolerance] of [
    [{ perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 4 }, 2e-5],
    [{ gradientCheckpointing: true }, 1e-6],
  ] as const) {
    const { logs } = await run("cpo", { ...simpo, ...changes });
    const differences = logs.map(({ loss }, index) => loss - whole.logs[index]!.loss);
    expect(Math.max(...differences.map(Math.abs))).toBeLessThan(tolerance);
    expect(Math.abs(differences.reduce((sum, value) => sum + value, 0) / differences.length)).toBeLessThan(tolerance / 3);
  }
});

it.each<[Partial<CPOConfig>, string]>([
  [{ lossType: "kto_pair" as "simpo" }, "lossType is not usable; expected one of sigmoid, hinge, ipo, simpo, alphapo"],
  [{ lossType: "hinge", labelSmoothing: 0.1 }, "labelSmoothing is not read by the loss hinge"],
  [{ cpoAlpha: Number.NaN }, "cpoAlpha is not usable"],
  [{ beta: 0 }, "beta is not usable"],
])("refuses %j", (args, message) => {
  const make = (): CPOTrainer => new CPOTrainer({ model: base, peftConfig: lora, trainDataset: Dataset.from<DataRow>([]), args });
  expect(make).toThrow(TrainerConfigError);
  expect(make).toThrow(message);
});

interface Run {
  logs: TrainLog[];
  adapter: Map<string, LoraWeights>;
  output: TrainOutput;
}

async function run(
  name: "orpo" | "cpo",
  given: Partial<CPOConfig>,
  { store, stopAfter, resumeFrom }: { store?: Store; stopAfter?: number; resumeFrom?: string } = {},
): Promise<Run> {
  const before = device.memory.info().liveStorages;
  const model = getPeftModel(base, lora, { seed: 3 });
  try {
    const options = { model, prepared: { train: tinyPairs(12), eval: tinyPairs(6) }, ...(store && { output: store }) };
    const args = { ...shared, ...given };
    const trainer = name === "orpo" ? new ORPOTrainer({ ...options, args }) : new CPOTrainer({ ...options, args });
    const logs: TrainLog[] = [];
    for await (const log of trainer.train({ ...(resumeFrom && { resumeFrom }) })) {
      logs.push(log);
      if (stopAfter !== undefined && log.step > stopAfter) break;
    }
    return { logs, adapter: await model.readAdapter(), output: trainer.result! };
  } finally {
    model.dispose();
    expect(device.memory.info().liveStorages, "buffers left over").toBe(before);
  }
}
