import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel, mergeAndUnload, withoutAdapters } from "@kto/lora";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { full, requestDevice, type Device, type Tensor } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KTOTrainer, type TrainLog } from "../index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const open = (): Promise<Qwen2ForCausalLM> =>
  Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("nf4/model-dynamic")), { device, dtype: "f32" });

/** The same model with every weight in f32. */
async function dequantized(): Promise<Qwen2ForCausalLM> {
  const model = await open();
  const weights = new Map<string, Tensor>(model.weights);
  for (const [name, weight] of model.quantizedWeights) {
    weights.set(
      name,
      device.unscoped(() => weight.dequantize("f32")),
    );
    weight.dispose();
  }
  return new Qwen2ForCausalLM(model.config, weights, { device, dtype: "f32" });
}

const rows: DataRow[] = Array.from({ length: 24 }, (_, row) => ({
  prompt_ids: Array.from({ length: 6 + (row % 5) }, (_, position) => (row * 31 + position * 7) % 500),
  completion_ids: Array.from({ length: 4 + (row % 7) }, (_, position) => (row * 13 + position * 11) % 500),
  label: row % 3 !== 0,
}));

async function train(base: Qwen2ForCausalLM): Promise<{ logs: TrainLog[]; adapter: Float32Array[] }> {
  using model = getPeftModel(base, { r: 8, loraAlpha: 16, targetModules: "all-linear" }, { seed: 5 });
  const trainer = new KTOTrainer({
    model,
    trainDataset: Dataset.from(rows),
    args: { perDeviceTrainBatchSize: 4, maxSteps: 12, learningRate: 1e-3, loggingSteps: 1, saveStrategy: "no", optim: "adamw_8bit" },
  });
  const logs: TrainLog[] = [];
  for await (const log of trainer.train()) logs.push(log);
  return { logs, adapter: [...(await model.readAdapter()).values()].flatMap(({ a, b }) => [a, b]) };
}

test("a run on a four-bit base gives the numbers of one on its dequantised weights", async () => {
  using quantized = await open();
  using plain = await dequantized();
  const found = await train(quantized);
  const expected = await train(plain);
  expect(found.logs[0]!.loss).toBe(0.5);
  expect(found.logs.at(-1)!.loss).toBeLessThan(0.499);
  const differences = found.logs.map(({ loss }, index) => loss - expected.logs[index]!.loss);
  expect(Math.abs(differences.reduce((sum, value) => sum + value, 0) / differences.length)).toBeLessThan(1e-5);
  expect(Math.max(...differences.map(Math.abs))).toBeLessThan(3e-5); // the floor of fixtures/README.md for f32
  found.logs.forEach((log, index) => {
    expect(log.gradNorm / expected.logs[index]!.gradNorm).toBeCloseTo(1, 3);
    for (const [name, value] of Object.entries(expected.logs[index]!.metrics)) {
      if (name.startsWith("rewards/")) expect(Math.abs(log.metrics[name]! - value), name).toBeLessThan(2e-4);
      if (name.startsWith("logps/")) expect(Math.abs(log.metrics[name]! - value), name).toBeLessThan(1e-3);
    }
  });
});

test("adapters go on, off and into four-bit layers", async () => {
  using base = await open();
  const logitsOf = async (): Promise<Float32Array> => {
    using logits = device.scope(() => device.noGrad(() => base.logits(base.hiddenStates(base.packRows([[1, 2, 3, 4, 5]])))));
    return (await logits.read()) as Float32Array;
  };
  const before = await logitsOf();
  const model = getPeftModel(base, { r: 4, loraAlpha: 64, targetModules: "all-linear" }, { seed: 1 });
  const { bucket } = model.activeAdapter;
  for (const [name, parameter] of bucket.parameters) {
    if (name.endsWith("lora_B")) device.copyInto(parameter, full(device, parameter.shape, 0.02, "f32"));
  }
  const adapted = await logitsOf();
  const off = await withoutAdaptersRead(model, logitsOf);
  expect(off).toEqual(before);
  expect(distance(adapted, before)).toBeGreaterThan(0.05);
  await mergeAndUnload(model);
  const merged = await logitsOf();
  expect(distance(merged, adapted)).toBeLessThan(0.6 * distance(adapted, before)); // what is left is the second rounding to four bits
});

async function withoutAdaptersRead(model: Parameters<typeof withoutAdapters>[0], read: () => Promise<Float32Array>): Promise<Float32Array> {
  let pending: Promise<Float32Array> | undefined;
  withoutAdapters(model, () => {
    pending = read();
  });
  return pending!;
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, index) => sum + (value - b[index]!) ** 2, 0) / a.length);
}
