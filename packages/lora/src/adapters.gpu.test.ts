import { existsSync } from "node:fs";
import { fileDirectory } from "@kto/core/node";
import { Qwen2ForCausalLM, unpad } from "@kto/qwen2";
import { asTypedArray, toFloat32 } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { backward, gatherRows, mean, requestDevice, scale, type Device, type Gradients, type Tensor } from "@kto/tensor";
import { fixturePath, listFixtures } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { getPeftModel, mergeAndUnload, wasChanged, withoutAdapters, type PeftModel } from "./index.js";
import { loadAdapter } from "./node.js";

/** Adapters whose gradients the fixtures hold and that this package trains; the others are refused, which another test shows. */
const folders = listFixtures("lora").filter(
  (folder) => existsSync(fixturePath("lora", folder, "gradients.safetensors")) && !/dora|bias|modules/.test(folder),
);

/** f32 on the device against float64: gradients relative to the largest of their tensor (four times the row class), logits absolute. */
const tolerance = { gradient: 8e-5, logits: 3e-4 };

let device: Device;
let base: Qwen2ForCausalLM;
let batch: LossBatch;
beforeAll(async () => {
  device = await requestDevice();
  base = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  batch = await readBatch();
});
afterAll(() => {
  base.dispose();
  device.dispose();
});

test("there are adapters to check", () =>
  expect(folders).toEqual(expect.arrayContaining(["main", "rslora", "rank-one", "subset", "regex", "pattern"])));

describe.each(folders)("lora/%s", (folder) => {
  test.each([false, true])("logits and gradients equal peft's, checkpointed: %s", async (gradientCheckpointing) => {
    using model = await adapterModel(folder);
    const gradients = device.scope(() => backward(lossOf(gradientCheckpointing)));
    const expected = await openSafetensorsFile(fixturePath("lora", folder, "gradients.safetensors"));
    for (const [name, parameter] of model.activeAdapter.bucket.parameters) {
      await expectGradient(gradients, parameter, expected, `base_model.model.${name}.weight`);
    }
    expect(expected.tensors.size).toBe(model.activeAdapter.bucket.parameters.size);
    gradients.dispose();
    await expected.dispose();
    await expectLogits(folder);
  });
});

test("with the adapter off the logits are the base's, bit for bit", async () => {
  const before = await logits();
  using model = await adapterModel("main");
  const off = await withoutAdapters(model, () => logits());
  expect(off).toEqual(before);
  expect(await logits()).not.toEqual(before);
});

test("the gradient of A is exactly zero while B is", async () => {
  using model = await adapterModel("initial");
  const gradients = device.scope(() => backward(lossOf(false)));
  for (const [name, parameter] of model.activeAdapter.bucket.parameters) {
    const values = (await gradients.get(parameter)!.read()) as Float32Array;
    expect(
      values.every((value) => value === 0),
      name,
    ).toBe(name.endsWith("lora_A"));
  }
  gradients.dispose();
});

test("a fresh adapter names the model it is for, where that carries its name", () => {
  const { modelType, outputEmbedding } = base;
  const configOf = (more: { name?: string; revision?: string }): object => {
    const tree = { device, modelType, outputEmbedding, namedModules: () => base.namedModules(), ...more };
    using model = getPeftModel(tree, { r: 1, targetModules: ["q_proj"] });
    return model.activeAdapter.config;
  };
  expect(configOf({ name: "owner/name", revision: "v2" })).toMatchObject({ baseModelNameOrPath: "owner/name", revision: "v2" });
  expect(configOf({})).toMatchObject({ baseModelNameOrPath: null, revision: null });
});

test("merged weights are peft's, and compute what the adapter computed", async () => {
  using merged = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  const { config, weights } = await loadAdapter(fixturePath("lora", "main"), merged);
  expect(await mergeAndUnload(getPeftModel(merged, config, { weights }))).toBe(merged);
  const expected = await openSafetensorsFile(fixturePath("lora", "main", "merged.safetensors"));
  for (const name of expected.tensors.keys()) {
    const { data, dtype } = await expected.read(name);
    const actual = (await merged.weights.get(name)!.read()) as Float32Array;
    expect(largestDifference(actual, toFloat32(data, dtype).values), name).toBeLessThan(1e-6);
  }
  await expected.dispose();
  using model = await adapterModel("main");
  expect(largestDifference(await logits(merged), await logits())).toBeLessThan(tolerance.logits);
  expect(model.activeAdapters).toEqual(["default"]);
});

test("a layer that cannot be added to stops a merge before it begins", async () => {
  const before = await logits();
  const { config, weights } = await loadAdapter(fixturePath("lora", "main"), base);
  const stubborn = {
    ...base,
    device,
    modelType: base.modelType,
    outputEmbedding: base.outputEmbedding,
    namedModules: () =>
      [...base.namedModules()].map(([path, module]) => {
        const { inFeatures, outFeatures } = module as { inFeatures: number; outFeatures: number };
        return [path, path === "model.layers.0.mlp.gate_proj" ? { inFeatures, outFeatures, adapter: undefined } : module] as const;
      }),
  };
  using model = getPeftModel(stubborn, { ...config, targetModules: "all-linear" });
  expect(weights.size).toBeGreaterThan(0);
  await expect(mergeAndUnload(model)).rejects.toThrow(
    "has a weight that cannot be added to; expected a layer with addToWeight, as Linear has it",
  );
  model.dispose();
  expect(await logits()).toEqual(before);
});

test.each(["f32", "4 bits"])("a sum that is not finite leaves every layer as it was: %s", async (kind) => {
  const isQuantized = kind !== "f32";
  using model = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), {
    device,
    dtype: "f32",
    ...(isQuantized && { quantization: { loadIn4bit: true } }),
  });
  const before = await logits(model);
  const { config, weights } = await loadAdapter(fixturePath("lora", "main"), model);
  const last = [...weights].at(-1)!;
  last[1].a.fill(100);
  last[1].b.fill(3e38);
  using adapted = getPeftModel(model, config, { weights });
  const live = device.memory.info().liveStorages;
  await expect(mergeAndUnload(adapted)).rejects.toMatchObject({ code: "DTYPE", message: expect.stringMatching(/is NaN or infinite/) });
  expect(device.memory.info().liveStorages).toBe(live);
  expect(wasChanged(model)).toBe(false);
  expect(adapted.activeAdapters).toEqual(["default"]);
  adapted.setAdapter([]);
  expect(await logits(model)).toEqual(before);
});

test("several adapters add up in order, and one can be deleted", async () => {
  using model = await adapterModel("main");
  const one = await logits();
  const { config, weights } = await loadAdapter(fixturePath("lora", "rank-one"), base);
  model.addAdapter(config, { adapterName: "other", weights });
  expect(await logits()).toEqual(one);
  model.setAdapter(["default", "other"]);
  expect(largestDifference(await logits(), one)).toBeGreaterThan(1e-3);
  model.deleteAdapter("other");
  expect(model.activeAdapters).toEqual(["default"]);
  expect(await logits()).toEqual(one);
});

test("disposing the adapters frees their memory and leaves the base as it was", async () => {
  const before = device.memory.info().liveStorages;
  const untouched = await logits();
  const model = await adapterModel("main");
  model.copyAdapter("default", "reference");
  model.dispose();
  expect(device.memory.info().liveStorages).toBe(before);
  expect(await logits()).toEqual(untouched);
});

interface LossBatch {
  rows: Uint32Array[];
  positions: number[];
  labels: number[];
}

async function readBatch(): Promise<LossBatch> {
  const file = await openSafetensorsFile(fixturePath("lora", "inputs.safetensors"));
  const read = async (name: string): Promise<number[][]> => {
    const { data, shape } = await file.read(name);
    const values = [...asTypedArray(data, "I64")].map(Number);
    return Array.from({ length: shape[0]! }, (_, row) => values.slice(row * shape[1]!, (row + 1) * shape[1]!));
  };
  const [ids, mask, labels] = [await read("input_ids"), await read("attention_mask"), await read("labels")];
  await file.dispose();
  const { rows } = unpad(ids, mask);
  const positions: number[] = [];
  const scored: number[] = [];
  let offset = 0;
  rows.forEach((row, index) => {
    for (let position = 1; position < row.length; position++) {
      if (labels[index]![position] === -100) continue;
      positions.push(offset + position - 1);
      scored.push(labels[index]![position]!);
    }
    offset += row.length;
  });
  return { rows, positions, labels: scored };
}

function lossOf(gradientCheckpointing: boolean): Tensor {
  const hidden = base.hiddenStates(base.packRows(batch.rows), { gradientCheckpointing });
  const picked = gatherRows(hidden, device.tensor(batch.positions, [batch.positions.length], "u32"));
  const { logProbs } = base.logProbs(picked, device.tensor(batch.labels, [batch.labels.length], "u32"));
  return scale(mean(logProbs), -1);
}

async function logits(model: Qwen2ForCausalLM = base): Promise<Float32Array> {
  using result = device.scope(() => device.noGrad(() => model.logits(model.hiddenStates(model.packRows(batch.rows)))));
  return (await result.read()) as Float32Array;
}

async function expectLogits(folder: string): Promise<void> {
  const file = await openSafetensorsFile(fixturePath("lora", folder, "logits.safetensors"));
  const { data, dtype, shape } = await file.read(file.tensors.has("logits_f64") ? "logits_f64" : "logits");
  const { values } = toFloat32(data, dtype);
  await file.dispose();
  const [numRows, seqLen, vocabSize] = shape as [number, number, number];
  const actual = await logits();
  let offset = 0;
  for (let row = 0; row < numRows; row++) {
    const size = batch.rows[row]!.length * vocabSize;
    expect(
      largestDifference(actual.subarray(offset, offset + size), values.subarray(row * seqLen * vocabSize, row * seqLen * vocabSize + size)),
    ).toBeLessThan(tolerance.logits);
    offset += size;
  }
}

async function expectGradient(
  gradients: Gradients,
  parameter: Tensor,
  file: Awaited<ReturnType<typeof openSafetensorsFile>>,
  name: string,
): Promise<void> {
  const { data, dtype } = await file.read(name);
  const expected = toFloat32(data, dtype).values;
  const actual = (await gradients.get(parameter)!.read()) as Float32Array;
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largestDifference(actual, expected), name).toBeLessThan(tolerance.gradient * largest + 1e-9);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, index) => Math.max(worst, Math.abs(value - b[index]!)), 0);
}

async function adapterModel(folder: string): Promise<PeftModel<Qwen2ForCausalLM>> {
  const { config, weights } = await loadAdapter(fixturePath("lora", folder), base);
  return getPeftModel(base, config, { weights });
}
