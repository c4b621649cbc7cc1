import { readFile } from "node:fs/promises";
import { memoryStore, type Store } from "@kto/core";
import { openCheckpoint, openSafetensors, toFloat32 } from "@kto/safetensors";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, readFixtureJson } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNoBuffersLeft } from "../../testing/src/no-buffers-left.js";
import { DecoderForCausalLM, loadCausalLM, Qwen2ForCausalLM, type QuantizeOnLoad, type SaveProgress } from "./index.js";
import { fileDirectory } from "./node.js";
import { tinyConfig } from "./testing/tiny-config.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());
expectNoBuffersLeft(() => device);

const load = (folder: string, quantization?: QuantizeOnLoad): Promise<DecoderForCausalLM> =>
  loadCausalLM(fileDirectory(fixturePath(folder)), { device, dtype: "f32", quantization });

async function logitsOf(model: DecoderForCausalLM): Promise<ArrayLike<number>> {
  using logits = device.scope(() => device.noGrad(() => model.logits(model.hiddenStates(model.packRows([[1, 2, 3, 250, 7], [9]])))));
  return logits.read();
}

async function bytesOf(store: Store, path: string): Promise<Buffer> {
  const source = (await store.open(path))!;
  return Buffer.from(await source.slice(0, source.byteLength));
}

const json = async (store: Store, path: string): Promise<Record<string, unknown>> =>
  JSON.parse((await bytesOf(store, path)).toString("utf8")) as Record<string, unknown>;
const namesIn = async (store: Store): Promise<string[]> => (await store.list()).map(({ name }) => name);
const fixture = (...path: string[]): Promise<Buffer> => readFile(fixturePath(path[0]!, ...path.slice(1)));

describe("a model that is saved as it was loaded", () => {
  test.each(["model", "model-bf16"])("%s: the bytes of its file, the fields of its config, the bits of its logits", async (folder) => {
    using model = await load(folder);
    const store = memoryStore();
    await model.savePretrained(store);
    expect(await namesIn(store)).toEqual(["config.json", "model.safetensors"]);
    expect(Buffer.compare(await bytesOf(store, "model.safetensors"), await fixture(folder, "model.safetensors"))).toBe(0);
    expect(await json(store, "config.json")).toEqual(readFixtureJson(folder, "config.json"));
    using again = await loadCausalLM(store, { device, dtype: "f32" });
    expect(await logitsOf(again)).toEqual(await logitsOf(model));
  });

  test("in several files: those of transformers, and its index, to the byte", async () => {
    using model = await load("model-sharded");
    const store = memoryStore();
    await model.savePretrained(store, { maxShardBytes: 120_000 });
    const files = [1, 2, 3, 4].map((n) => `model-0000${n}-of-00004.safetensors`);
    expect(await namesIn(store)).toEqual(["config.json", ...files, "model.safetensors.index.json"]);
    for (const file of [...files, "model.safetensors.index.json"])
      expect(Buffer.compare(await bytesOf(store, file), await fixture("model-sharded", file)), file).toBe(0);
  });

  test.each(["plain", "dynamic", "aligned"])("in four bits, model-%s: every code and scale, and quantization_config", async (name) => {
    using model = await load(`nf4/model-${name}`);
    const store = memoryStore();
    await model.savePretrained(store);
    expect(Buffer.compare(await bytesOf(store, "model.safetensors"), await fixture("nf4", `model-${name}`, "model.safetensors"))).toBe(0);
    expect(await json(store, "config.json")).toEqual(readFixtureJson("nf4", `model-${name}`, "config.json"));
    expect((await bytesOf(store, "config.json")).toString()).toContain('"llm_int8_threshold": 6.0');
  });
});

describe("a model in four bits that was not so on disk", () => {
  const skip = ["lm_head", "model.layers.1.mlp", "model.layers.0.self_attn"];

  test.each<[string, QuantizeOnLoad, object]>([
    ["all of it", { loadIn4bit: true, bnb4bitUseDoubleQuant: true }, { llm_int8_skip_modules: null, bnb_4bit_use_double_quant: true }],
    ["some of it", { loadIn4bit: true, llmInt8SkipModules: skip }, { bnb_4bit_use_double_quant: false }],
  ])("%s: config.json says what is, and the codes come back", async (_what, quantization, expected) => {
    using model = await load("model-bf16", quantization);
    const store = memoryStore();
    await model.savePretrained(store, { maxShardBytes: 30_000 });
    expect((await json(store, "config.json")).quantization_config).toMatchObject({
      quant_method: "bitsandbytes",
      bnb_4bit_quant_type: "nf4",
      bnb_4bit_compute_dtype: "bfloat16",
      ...expected,
    });
    using again = await loadCausalLM(store, { device, dtype: "f32" });
    expect([...again.quantizedWeights.keys()]).toEqual([...model.quantizedWeights.keys()]);
    for (const [name, { tensors }] of model.quantizedWeights) {
      const found = again.quantizedWeights.get(name)!.tensors;
      expect(await device.readBytes(found.codes), name).toEqual(await device.readBytes(tensors.codes));
    }
    expect(await logitsOf(again)).toEqual(await logitsOf(model));
    const skipped = (await json(store, "config.json")).quantization_config as { llm_int8_skip_modules: string[] | null };
    if (quantization.llmInt8SkipModules) expect(skipped.llm_int8_skip_modules).toContain("model.layers.1.mlp.up_proj");
  });

  test("a config.json that lists other modules than are in four bits is corrected, and one of a model that has none loses the list", async () => {
    using dynamic = await load("nf4/model-dynamic");
    const parts = { device, dtype: "f32" as const, quantized: dynamic.quantizedWeights };
    const { quantization_config: given, ...fields } = dynamic.configJson;
    const stale = { ...fields, quantization_config: { ...(given as object), llm_int8_skip_modules: ["lm_head"] } };
    const store = memoryStore();
    const mistaken = new DecoderForCausalLM(dynamic.architecture, dynamic.config, dynamic.weights, { ...parts, configJson: stale });
    await mistaken.savePretrained(store);
    const { llm_int8_skip_modules: skipped } = (await json(store, "config.json")).quantization_config as {
      llm_int8_skip_modules: string[];
    };
    expect(skipped).toEqual([
      "lm_head",
      ...["q", "k", "v", "o"].map((letter) => `model.layers.0.self_attn.${letter}_proj`),
      ...["gate", "up", "down"].map((word) => `model.layers.1.mlp.${word}_proj`),
    ]);
    using plain = await load("model");
    const none = new DecoderForCausalLM(plain.architecture, plain.config, plain.weights, { device, dtype: "f32", configJson: stale });
    await none.savePretrained(store);
    expect(await json(store, "config.json")).not.toHaveProperty("quantization_config");
  });
});

describe("another dtype", () => {
  test("f32 to f16 and bf16 rounds to nearest even, and config.json says so", async () => {
    using model = Qwen2ForCausalLM.initialize(tinyConfig, { device, random: () => 1, std: 1 });
    const name = "model.layers.0.mlp.up_proj.weight";
    const values = [1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -65504, 2 ** -24];
    device.writeBytes(model.weights.get(name)!, new Uint8Array(Float32Array.from(values).buffer));
    const expected = {
      f16: [1, 1 + 2 ** -9, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -65504, 2 ** -24],
      bf16: [1, 1, 1, 1 + 2 ** -6, -65536, 2 ** -24],
    };
    for (const dtype of ["f16", "bf16"] as const) {
      const store = memoryStore();
      await model.savePretrained(store, { dtype });
      const reader = await openSafetensors((await store.open("model.safetensors"))!);
      const { data, dtype: stored } = await reader.read(name);
      expect([...toFloat32(data, stored).values].slice(0, values.length), dtype).toEqual(expected[dtype]);
      expect((await json(store, "config.json")).torch_dtype).toBe(dtype === "f16" ? "float16" : "bfloat16");
    }
  });

  test("a value that f16 cannot hold names tensor and element, and leaves no model", async () => {
    using model = Qwen2ForCausalLM.initialize(tinyConfig, { device, random: () => 0 });
    device.writeBytes(model.weights.get("model.norm.weight")!, new Uint8Array(Float32Array.of(1, 65520).buffer));
    const store = memoryStore();
    await expect(model.savePretrained(store, { dtype: "f16" })).rejects.toThrow(
      'save: model.norm.weight: element 1 does not fit f16; expected at most 65504 in magnitude, got 65520; save with dtype "f32"',
    );
    expect(await namesIn(store)).not.toContain("config.json");
  });
});

test("a tied head is not written, and a smaller model leaves nothing of the larger one before it", async () => {
  const store = memoryStore();
  using large = await load("model");
  await large.savePretrained(store, { maxShardBytes: 50_000 });
  await store.write("tokenizer.json", "{}");
  using small = Qwen2ForCausalLM.initialize(tinyConfig, { device, random: () => 0.5 });
  await small.savePretrained(store);
  expect(await namesIn(store)).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
  const reader = await openCheckpoint(store);
  expect([...reader.tensors.keys()].sort()).toEqual([...small.weights.keys()].sort());
  await reader.dispose();
  using again = await Qwen2ForCausalLM.fromPretrained(store, { device, dtype: "f32" });
  expect(again.config).toEqual(tinyConfig);
});

test("a dtype or size that is none is refused before anything is written", async () => {
  using model = Qwen2ForCausalLM.initialize(tinyConfig, { device, random: () => 0 });
  const store = memoryStore();
  await store.write("config.json", "{}");
  await expect(model.savePretrained(store, { dtype: "float16" as "f16" })).rejects.toThrow(
    'savePretrained: dtype is none that a model is saved in; expected "f32", "f16", "bf16", got "float16"',
  );
  await expect(model.savePretrained(store, { maxShardBytes: Number.NaN })).rejects.toThrow(
    /maxShardBytes.* expected a number above 0, got NaN/,
  );
  expect(await namesIn(store)).toEqual(["config.json"]);
});

test("tells how far it is, and can be stopped", async () => {
  using model = await load("nf4/model-dynamic");
  const steps: SaveProgress[] = [];
  await model.savePretrained(memoryStore(), { onProgress: (step) => steps.push(step) });
  expect(steps.at(-1)!.writtenBytes).toBe(steps.at(-1)!.totalBytes);
  const stop = new AbortController();
  const store = memoryStore();
  const onProgress = (): void => stop.abort(new Error("enough"));
  await expect(model.savePretrained(store, { signal: stop.signal, onProgress })).rejects.toThrow("enough");
  expect(await namesIn(store)).toEqual([]);
});
