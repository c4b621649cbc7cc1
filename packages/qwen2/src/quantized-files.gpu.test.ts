import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesSource, type ByteDirectory } from "@kto/core";
import { nf4Tensors } from "@kto/nf4";
import { encodeSafetensors, type TensorReader, type TensorToWrite } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, readFixtureJson } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNoBuffersLeft } from "../../testing/src/no-buffers-left.js";
import { Qwen2ForCausalLM } from "./index.js";
import { fileDirectory } from "./node.js";

let device: Device;
let dynamic: TensorReader;
let plain: TensorReader;
beforeAll(async () => {
  device = await requestDevice();
  dynamic = await openSafetensorsFile(fixturePath("nf4/model-dynamic", "model.safetensors"));
  plain = await openSafetensorsFile(fixturePath("model-bf16", "model.safetensors"));
});
afterAll(async () => {
  device.dispose();
  await dynamic.dispose();
  await plain.dispose();
});
expectNoBuffersLeft(() => device);

type Files = Record<string, Uint8Array | string>;

function folder(files: Files): ByteDirectory {
  const bytesOf = (file: Uint8Array | string): Uint8Array => (typeof file === "string" ? new TextEncoder().encode(file) : file);
  return {
    name: "models/tiny",
    open: (name) => Promise.resolve(Object.hasOwn(files, name) ? bytesSource(bytesOf(files[name]!), name) : undefined),
  };
}

const load = (files: Files, quantization?: { loadIn4bit: true }): Promise<Qwen2ForCausalLM> =>
  Qwen2ForCausalLM.fromPretrained(folder(files), { device, dtype: "f32", quantization });

async function tensorsOf(reader: TensorReader): Promise<[string, TensorToWrite][]> {
  return Promise.all([...reader.tensors.keys()].map(async (name): Promise<[string, TensorToWrite]> => [name, await reader.read(name)]));
}

type Config = Record<string, unknown> & { quantization_config?: Record<string, unknown> };
const dynamicConfig = (): Config => readFixtureJson<Config>("nf4", "model-dynamic", "config.json");

async function logitsOf(model: Qwen2ForCausalLM): Promise<ArrayLike<number>> {
  using logits = device.scope(() => device.noGrad(() => model.logits(model.hiddenStates(model.packRows([[1, 2, 3, 250, 7]])))));
  return logits.read();
}

describe("a checkpoint of bitsandbytes", () => {
  test("in three files, the companions of a weight in all of them", async () => {
    const shards: [string, TensorToWrite][][] = [[], [], []];
    (await tensorsOf(dynamic)).forEach((entry, index) => shards[index % 3]!.push(entry));
    const weightMap = Object.fromEntries(shards.flatMap((shard, index) => shard.map(([name]) => [name, `part-${index}.safetensors`])));
    const files: Files = {
      "config.json": JSON.stringify(dynamicConfig()),
      "model.safetensors.index.json": JSON.stringify({ weight_map: weightMap }),
    };
    for (const [index, shard] of shards.entries()) files[`part-${index}.safetensors`] = await encodeSafetensors(shard);
    using sharded = await load(files);
    using whole = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("nf4/model-dynamic")), { device, dtype: "f32" });
    expect([...sharded.quantizedWeights.keys()]).toEqual([...whole.quantizedWeights.keys()]);
    expect(await logitsOf(sharded)).toEqual(await logitsOf(whole));
  });

  test("whose config.json is out of date: the file decides", async () => {
    const weights = await encodeSafetensors(await tensorsOf(dynamic));
    const stale = dynamicConfig();
    stale.quantization_config = { ...stale.quantization_config, llm_int8_skip_modules: ["lm_head", "model.layers.0.mlp"] };
    const silent = dynamicConfig();
    delete silent.quantization_config;
    for (const config of [stale, silent]) {
      using model = await load({ "config.json": JSON.stringify(config), "model.safetensors": weights }, { loadIn4bit: true });
      expect([...model.quantizedWeights.keys()].map((name) => name.split(".").slice(2, 4).join("."))).toEqual(
        ["0.mlp", "0.mlp", "0.mlp", "1.self_attn", "1.self_attn", "1.self_attn", "1.self_attn"], // prettier-ignore
      );
    }
  });

  test("only by its config.json is loaded as the 16-bit one that it is, and quantised when asked to be", async () => {
    const files = { "config.json": JSON.stringify(dynamicConfig()), "model.safetensors": await encodeSafetensors(await tensorsOf(plain)) };
    using sixteen = await load(files);
    expect(sixteen.quantizedWeights.size).toBe(0);
    using four = await load(files, { loadIn4bit: true });
    expect(four.quantizedWeights.size).toBe(14);
  });

  test("is written as transformers wrote it, to the byte", async () => {
    using model = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("nf4/model-dynamic")), { device, dtype: "f32" });
    const tensors: [string, TensorToWrite][] = [];
    for (const name of [...dynamic.tensors.keys()].reverse()) {
      const weight = model.quantizedWeights.get(name);
      const owner = [...model.quantizedWeights.keys()].find((key) => name.startsWith(`${key}.`));
      if (weight) tensors.push(...(await nf4Tensors(name, weight)));
      else if (owner === undefined) tensors.push([name, await dynamic.read(name)]);
    }
    const written = await encodeSafetensors(tensors, { metadata: { format: "pt" } });
    const expected = await readFile(fixturePath("nf4/model-dynamic", "model.safetensors"));
    expect(Buffer.compare(written, expected)).toBe(0);
  });
});

describe("what is no checkpoint that can be trained", () => {
  test.each(["gptq", "awq", "fp8", "compressed-tensors"])("weights that %s quantised", async (method) => {
    const config = { ...dynamicConfig(), quantization_config: { quant_method: method } };
    const loading = load({ "config.json": JSON.stringify(config), "model.safetensors": await encodeSafetensors(await tensorsOf(plain)) });
    await expect(loading).rejects.toThrow(
      `quantization_config: models/tiny: config.json: quant_method is not supported; expected "bitsandbytes", got "${method}"`,
    );
  });

  const config = JSON.stringify(dynamicConfig());
  test.each<[string, Files, string]>([
    [
      "a folder with a GGUF file",
      { "tiny.gguf": "GGUF" },
      "models/tiny has no config.json; expected a model folder in Hugging Face layout, with safetensors files; GGUF files and pickles are not read",
    ],
    [
      "a folder with a GGUF file and config.json",
      { "config.json": config, "tiny.gguf": "GGUF" },
      "no weights in models/tiny; expected model.safetensors or model.safetensors.index.json, got neither; pickled weights (*.bin) and GGUF files are not read",
    ],
    [
      "a GGUF file by the name of weights",
      { "config.json": config, "model.safetensors": "GGUF\u0003\0\0\0\0" },
      "model.safetensors: this is a GGUF file, which only runtimes read",
    ],
    [
      "pickled weights",
      { "config.json": config, "pytorch_model.bin": "PK" },
      "models/tiny has pickled weights, which run code when they are opened; expected model.safetensors or model.safetensors.index.json, got pytorch_model.bin",
    ],
    [
      "pickled weights by the name of safetensors",
      { "config.json": config, "model.safetensors": "PK\u0003\u0004\0\0\b\b\0" },
      "model.safetensors: these are pickled weights, which run code when they are opened",
    ],
  ])("%s", async (_what, files, message) => {
    await expect(load(files)).rejects.toThrow(message);
  });

  test("the path of a GGUF file", async () => {
    const path = await mkdtemp(join(tmpdir(), "kto-"));
    try {
      const file = join(path, "tiny.gguf");
      await writeFile(file, "GGUF");
      await expect(Qwen2ForCausalLM.fromPretrained(fileDirectory(file), { device })).rejects.toThrow(
        "tiny.gguf: is no folder; expected a model folder with model.safetensors; GGUF files are not read, take the model's safetensors",
      );
    } finally {
      await rm(path, { recursive: true });
    }
  });
});
