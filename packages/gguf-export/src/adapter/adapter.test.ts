import { readFileSync } from "node:fs";
import { bytesSource, FormatError, memoryStore } from "@kto/core";
import { encodeSafetensors, openSafetensors, type SafetensorsFile, toFloat32 } from "@kto/safetensors";
import { describe, expect, it } from "vitest";
import { type GgufFile, openGguf } from "../container/gguf-file.js";
import { dequantize } from "../quantize.js";
import { sha256 } from "../testing/conformance.js";
import { fixture, readJson } from "../testing/fixture-model.js";
import { exportGgufAdapter, type ExportGgufAdapterOptions, type GgufAdapter } from "./export-adapter.js";
import { readGgufAdapter } from "./read-adapter.js";

interface Given extends GgufAdapter {
  config: Record<string, unknown>;
  tensors: SafetensorsFile;
  baseConfig: Record<string, unknown>;
}

async function fixtureAdapter(name: string): Promise<Given> {
  const bytes = readFileSync(fixture("lora", name, "adapter_model.safetensors"));
  return {
    config: readJson(fixture("lora", name, "adapter_config.json"))!,
    tensors: await openSafetensors(bytesSource(bytes)),
    baseConfig: readJson(fixture("model", "config.json"))!,
  };
}

async function written(adapter: GgufAdapter, options: Partial<ExportGgufAdapterOptions> = {}): Promise<GgufFile> {
  const store = memoryStore();
  await exportGgufAdapter(adapter, { store, out: "adapter.gguf", ...options });
  return openGguf((await store.open("adapter.gguf"))!);
}

it("an adapter comes back from F32 as the same safetensors, to the byte", async () => {
  for (const name of ["main", "rank-one", "subset"]) {
    const file = await written(await fixtureAdapter(name));
    const { tensors } = readGgufAdapter(file);
    const again = await encodeSafetensors(tensors, { metadata: { format: "pt" } });
    expect(sha256(again), name).toBe(sha256(readFileSync(fixture("lora", name, "adapter_model.safetensors"))));
  }
});

it("is named and keyed as llama.cpp loads it", async () => {
  const adapter = await fixtureAdapter("main");
  const { metadata, tensors } = await written({ ...adapter, name: "Mine" });
  expect(Object.fromEntries(Array.from(metadata, ([key, { type, value }]) => [key, `${type} ${String(value)}`]))).toEqual({
    "general.architecture": "string qwen2",
    "general.type": "string adapter",
    "adapter.type": "string lora",
    "general.name": "string Mine",
    "adapter.lora.alpha": "f32 16",
    "general.quantization_version": "u32 2",
  });
  expect([...tensors.keys()].slice(0, 4)).toEqual([
    "blk.0.attn_k.weight.lora_a",
    "blk.0.attn_k.weight.lora_b",
    "blk.0.attn_output.weight.lora_a",
    "blk.0.attn_output.weight.lora_b",
  ]);
  expect([tensors.get("blk.0.ffn_down.weight.lora_a")!.shape, tensors.get("blk.0.ffn_down.weight.lora_b")!.shape]).toEqual([
    [8, 160],
    [64, 8],
  ]);
  expect([...new Set(Array.from((await written(adapter, { type: "BF16" })).tensors.values(), ({ type }) => type))]).toEqual(["BF16"]);
});

it.each(["rslora", "pattern"])("of %s each layer acts as strongly as in peft", async (name) => {
  const adapter = await fixtureAdapter(name);
  const file = await written(adapter);
  const alpha = file.metadata.get("adapter.lora.alpha")!.value as number;
  const pattern = adapter.config["alpha_pattern"] as Record<string, number>;
  const strengths: number[] = [];
  for (const tensor of adapter.tensors.tensors.keys()) {
    const [, path] = /^base_model\.model\.(.+)\.lora_B\.weight$/.exec(tensor) ?? [];
    if (path === undefined) continue;
    const { shape, data, dtype } = await adapter.tensors.read(tensor);
    const r = shape[1]!;
    const own = Object.entries(pattern).find(([key]) => path.endsWith(`.${key}`))?.[1] ?? (adapter.config["lora_alpha"] as number);
    const scale = own / (adapter.config["use_rslora"] === true ? Math.sqrt(r) : r);
    const [layer, module] = [/layers\.(\d+)/.exec(path)![1], /\.(\w+)_proj$/.exec(path)![1]!];
    const names: Record<string, string> = {
      q: "attn_q",
      k: "attn_k",
      v: "attn_v",
      o: "attn_output",
      gate: "ffn_gate",
      up: "ffn_up",
      down: "ffn_down",
    };
    const inFile = dequantize(await file.read(`blk.${layer}.${names[module]}.weight.lora_b`), "F32");
    const values = toFloat32(data, dtype).values;
    const at = values.findIndex((value) => Math.abs(value) > 1e-3);
    expect((inFile[at]! * alpha) / r / values[at]!, path).toBeCloseTo(scale, 5);
    strengths.push(scale);
  }
  expect(strengths.length).toBeGreaterThan(3);
});

describe("refuses by name", () => {
  it.each([
    ["dora", /DoRA; expected use_dora off, got true/],
    ["lora-bias", /biases of lora_B; expected lora_bias off, got true/],
    ["bias-all", /biases of the base model; expected bias off, got "all"/],
    ["modules-to-save", /trained in full; expected modules_to_save off, got \["lm_head"|trained in full/],
  ])("%s, also where the config was edited", async (name, message) => {
    const adapter = await fixtureAdapter(name);
    await expect(written(adapter)).rejects.toThrow(message);
    const edited = { ...adapter.config, use_dora: false, lora_bias: false, bias: "none", modules_to_save: null };
    await expect(written({ ...adapter, config: edited })).rejects.toThrow(
      /neither lora_A nor lora_B; a GGUF adapter cannot say .*; merge the adapter into the model instead/,
    );
  });

  const cases: [what: string, change: (adapter: Given) => unknown, message: RegExp][] = [
    ["another method", ({ config }) => (config["peft_type"] = "IA3"), /expected peft_type "LORA", got "IA3"/],
    [
      "a start that changes the base",
      ({ config }) => (config["init_lora_weights"] = "pissa"),
      /expected init_lora_weights off, got "pissa"/,
    ],
    ["an alpha of zero", ({ config }) => (config["lora_alpha"] = 0), /lora_alpha is not usable; expected a number above 0, got 0/],
    ["an expression", ({ config }) => (config["alpha_pattern"] = { "layers\\.[01]\\..*": 3 }), /a key of alpha_pattern is an expression/],
    [
      "a model of another size",
      ({ baseConfig }) => (baseConfig["hidden_size"] = 128),
      /another shape than the base model; expected lora_A \[r, 160\] and lora_B \[128, r\]/,
    ],
    [
      "a model of fewer layers",
      ({ baseConfig }) => (baseConfig["num_hidden_layers"] = 1),
      /the base model has no such layer; .* got "model\.layers\.1\./,
    ],
  ];
  it.each(cases)("%s", async (_, change, message) => {
    const adapter = await fixtureAdapter("main");
    change(adapter);
    await expect(written(adapter)).rejects.toThrow(FormatError);
    await expect(written(adapter)).rejects.toThrow(message);
  });

  it("an adapter on a tied head, and half of a layer", async () => {
    const adapter = await fixtureAdapter("main");
    const [a, b] = ["lora_A", "lora_B"].map((half) => `base_model.model.lm_head.${half}.weight`) as [string, string];
    const info = (shape: number[]): never => ({ dtype: "F32", shape }) as never;
    const head = {
      ...adapter.tensors,
      tensors: new Map([
        [a, info([8, 64])],
        [b, info([512, 8])],
      ]),
    };
    const tied = { ...adapter.baseConfig, tie_word_embeddings: true };
    await expect(written({ ...adapter, tensors: head, baseConfig: tied })).rejects.toThrow(
      /the base model has no such layer; .* got "lm_head"/,
    );
    const half = { ...adapter.tensors, tensors: new Map([[a, info([8, 64])]]) };
    await expect(written({ ...adapter, tensors: half })).rejects.toThrow(
      /half of a layer is missing; expected lora_A and lora_B of "lm_head"/,
    );
  });

  it("a model where an adapter is wanted back", async () => {
    const file = await written(await fixtureAdapter("main"));
    const model = { ...file, metadata: new Map([...file.metadata, ["general.type", { type: "string", value: "model" }] as const]) };
    expect(() => readGgufAdapter(model)).toThrow(/expected general\.type "adapter", got "model"/);
  });
});
