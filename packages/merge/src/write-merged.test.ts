import { memoryStore, readText, WriteError, type Store } from "@kto/core";
import { dequantizeWeights, openNf4Values, quantizeScales, quantizeWeights } from "@kto/nf4";
import { readModelConfig } from "@kto/qwen2";
import {
  checkpointWeights,
  encodeSafetensors,
  openCheckpoint,
  openSafetensors,
  toBfloat16,
  toFloat32,
  type Checkpoint,
} from "@kto/safetensors";
import { bytesSource } from "@kto/core";
import { loraConfig } from "@kto/lora";
import { readFixtureJson } from "@kto/testing/workspace";
import { afterAll, describe, expect, it } from "vitest";
import { mergedWeights, writeMerged, type MergeProgress } from "./index.js";
import { closeFixtures, openAdapter, openModel } from "./testing/open-fixtures.js";

afterAll(closeFixtures);

type Json = Record<string, unknown>;
const configJson = (...parts: string[]): Json => readFixtureJson(...parts, "config.json");
const names = async (store: Store): Promise<string[]> => (await store.list()).map(({ name }) => name);
const savedConfig = async (store: Store): Promise<Json> => JSON.parse((await readText(store, "config.json"))!) as Json;

describe("writeMerged", () => {
  it("rounds each sum once, deals the tensors out to shards and says what it wrote", async () => {
    const weights = await mergedWeights(await openModel("model"), { adapters: [await openAdapter("main")] });
    const store = memoryStore();
    const seen: MergeProgress[] = [];
    const files = new Map<string, string | Uint8Array>([
      ["LICENSE", "free"],
      ["additional_chat_templates/rag.jinja", "{{ messages }}"],
    ]);
    const onProgress = (progress: MergeProgress): void => void seen.push(progress);
    const merged = await writeMerged(store, weights, {
      configJson: configJson("model"),
      dtype: "bf16",
      files,
      maxShardBytes: 100_000,
      onProgress,
    });

    expect(merged).toMatchObject({ base: "plain", dtype: "bf16", loss: undefined });
    expect(merged.files.slice(0, 2)).toEqual([...files.keys()]);
    expect(merged.files.at(-1)).toBe("config.json");
    expect(merged.files).toContain("model.safetensors.index.json");
    const checkpoint = await openCheckpoint(store);
    expect(checkpoint.fileNames.length).toBeGreaterThan(2);
    expect(merged.bytes).toBeGreaterThan(checkpoint.totalBytes);
    const written = checkpointWeights(checkpoint);
    expect([...written.tensors.keys()].sort()).toEqual([...weights.tensors.keys()].sort());
    for (const name of written.tensors.keys()) {
      const expected = toFloat32(toBfloat16(await weights.read(name), "F32").values, "BF16").values;
      expect(await written.read(name), name).toEqual(expected);
      expect(written.tensors.get(name)!.dtype).toBe("BF16");
    }
    expect(await savedConfig(store)).toEqual({ ...configJson("model"), dtype: "bfloat16" });
    expect(seen.at(-1)).toMatchObject({ stage: "weights", done: checkpoint.totalBytes, total: checkpoint.totalBytes });
  });

  it("writes a dequantised model whose config.json has no quantisation any more, in the dtype that it names", async () => {
    const model = await openModel("nf4", "model-dynamic");
    const store = memoryStore();
    const merged = await writeMerged(store, await mergedWeights(model), { configJson: configJson("nf4", "model-dynamic") });
    expect(merged).toMatchObject({ base: "nf4", dtype: "bf16" });
    const saved = await savedConfig(store);
    expect(saved).not.toHaveProperty("quantization_config");
    expect(saved["dtype"]).toBe("bfloat16");
    const written = checkpointWeights(await openCheckpoint(store));
    const again = await mergedWeights({ checkpoint: await openCheckpoint(store), config: readModelConfig(saved) });
    expect([...again.tensors.keys()].sort()).toEqual([...written.tensors.keys()].sort());
    const values = await openNf4Values(model.checkpoint, "model.layers.1.self_attn.q_proj.weight");
    expect(await written.read("model.layers.1.self_attn.q_proj.weight")).toEqual(await values.readRows(0, 64));
  });

  it("parts a tied head from its embedding where the adapter brings one, and ties one that it saved beside", async () => {
    const model = await openModel("model");
    const tied = {
      config: { ...model.config, tieWordEmbeddings: true },
      checkpoint: { ...model.checkpoint, tensors: new Map([...model.checkpoint.tensors].filter(([name]) => name !== "lm_head.weight")) },
    };
    const json = { ...configJson("model"), tie_word_embeddings: true };
    const adapter = await openAdapter("modules-to-save");
    const parted = memoryStore();
    await writeMerged(parted, await mergedWeights(tied, { adapters: [adapter] }), { configJson: json });
    expect((await savedConfig(parted))["tie_word_embeddings"]).toBe(false);
    const head = toFloat32((await adapter.tensors.read("base_model.model.lm_head.weight")).data, "F32").values;
    const written = checkpointWeights(await openCheckpoint(parted));
    expect(await written.read("lm_head.weight")).toEqual(head);
    expect(await written.read("model.embed_tokens.weight")).not.toEqual(head);

    const beside = memoryStore();
    const saved = { ...adapter, config: { ...adapter.config, modulesToSave: null } };
    await writeMerged(beside, await mergedWeights(tied, { adapters: [saved] }), { configJson: json });
    expect((await savedConfig(beside))["tie_word_embeddings"]).toBe(true);
    const both = checkpointWeights(await openCheckpoint(beside));
    expect(both.tensors.has("lm_head.weight")).toBe(false);
    expect(await both.read("model.embed_tokens.weight")).toEqual(head);
  });

  it("refuses what it cannot write before it writes: an unknown dtype, too little room; and a sum that is too large for f16", async () => {
    const weights = await mergedWeights(await openModel("model"));
    const json = configJson("model");
    const small: Store = { ...memoryStore(), name: "disk", freeBytes: async () => 1000 };
    await expect(writeMerged(small, weights, { configJson: json })).rejects.toMatchObject({
      code: "WRITE",
      reason: "ENOSPC",
      message: expect.stringMatching(/no room for the model in disk; expected \d{6} bytes that are free, got 1000; .* nothing was written/),
    });
    expect(await small.list()).toEqual([]);
    const store = memoryStore();
    await expect(writeMerged(store, weights, { configJson: json, dtype: "int8" as "f16" })).rejects.toMatchObject({ code: "ARGUMENT" });
    const large = { ...weights, read: async (name: string): Promise<Float32Array> => (await weights.read(name)).fill(70_000) };
    await expect(writeMerged(store, large, { configJson: json, dtype: "f16" })).rejects.toThrow(/element 0 does not fit f16; .* got 70000/);
    expect(await names(store)).toEqual([]);
  });

  it("leaves no config.json when a disk is full or it is cancelled", async () => {
    const weights = await mergedWeights(await openModel("model"));
    const inner = memoryStore();
    const full: Store = {
      ...inner,
      write: (path, content) =>
        path.startsWith("model-00003") ? Promise.reject(new WriteError("full", { path, reason: "ENOSPC" })) : inner.write(path, content),
    };
    await expect(writeMerged(full, weights, { configJson: configJson("model"), maxShardBytes: 100_000 })).rejects.toMatchObject({
      reason: "ENOSPC",
    });
    expect(await names(inner)).not.toContain("config.json");
    const stop = new AbortController();
    const store = memoryStore();
    const stopped = writeMerged(store, weights, {
      configJson: configJson("model"),
      signal: stop.signal,
      onProgress: () => stop.abort(new Error("enough")),
    });
    await expect(stopped).rejects.toThrow("enough");
    expect(await names(store)).toEqual([]);
  });
});

describe("writeMerged in four bits", () => {
  /** Every byte of a weight and its companions. */
  const stored = async (checkpoint: Checkpoint, name: string): Promise<Record<string, Uint8Array>> => {
    const keys = [...checkpoint.tensors.keys()].filter((key) => key === name || key.startsWith(`${name}.`));
    return Object.fromEntries(
      await Promise.all(keys.map(async (key) => [key.slice(name.length), (await checkpoint.read(key)).data.slice()] as const)),
    );
  };

  it("without an adapter gives codes and scales back, but for blocks that bitsandbytes changes", async () => {
    const model = await openModel("nf4", "model-dynamic");
    const weights = await mergedWeights(model);
    const store = memoryStore();
    const json = configJson("nf4", "model-dynamic");
    const stages = new Set<string>();
    const merged = await writeMerged(store, weights, { configJson: json, dtype: "nf4", onProgress: ({ stage }) => stages.add(stage) });
    expect([...stages]).toEqual(["scales", "weights"]);
    expect((await savedConfig(store))["quantization_config"]).toEqual(json["quantization_config"]);
    const written = await openCheckpoint(store);
    expect([...written.tensors.keys()].sort()).toEqual([...model.checkpoint.tensors.keys()].sort());

    const count = { blocks: 0, codes: 0, scales: 0 };
    for (const [path, state] of weights.quantized) {
      const name = `${path}.weight`;
      const [before, after] = [await stored(model.checkpoint, name), await stored(written, name)];
      const values = await weights.read(name); // bitsandbytes' own way there and back
      const reference = quantizeWeights(values);
      const nested = quantizeScales(reference.absmax);
      expect(after[""], name).toEqual(reference.packed);
      expect(after[".absmax"], name).toEqual(nested.codes);
      expect(new Float32Array(after[".nested_absmax"]!.buffer), name).toEqual(nested.absmax);
      for (let block = 0; 64 * block < values.length; block++) {
        count.blocks++;
        const [a, b] = [before, after].map((parts) => parts[""]!.subarray(32 * block, 32 * (block + 1)));
        if (!a!.every((byte, i) => byte === b![i])) count.codes++;
        if (before[".absmax"]![block] !== after[".absmax"]![block]) count.scales++;
      }
      expect(state.nested).toBeDefined();
    }
    expect(count).toEqual({ blocks: 672, codes: 0, scales: 35 }); // the scales' mean is that of rounded scales now
    expect(merged.loss!.relativeError).toBeLessThan(0.01);
    expect(merged.loss!.change).toBe(0);
  });

  it("quantises all layers of a plain model, and tells what that lost beside what the adapter changed", async () => {
    const weights = await mergedWeights(await openModel("model-bf16"), { adapters: [await openAdapter("main")] });
    const store = memoryStore();
    const merged = await writeMerged(store, weights, { configJson: configJson("model-bf16"), dtype: "nf4" });
    expect(merged.loss!.relativeError).toBeGreaterThan(0.05);
    expect(merged.loss!.relativeError).toBeLessThan(0.12);
    expect(merged.loss!.change).toBeGreaterThan(merged.loss!.error);
    const saved = await savedConfig(store);
    expect(saved["quantization_config"]).toMatchObject({
      load_in_4bit: true,
      bnb_4bit_quant_type: "nf4",
      bnb_4bit_use_double_quant: true,
      bnb_4bit_compute_dtype: "bfloat16",
      llm_int8_skip_modules: null,
    });
    const again = await mergedWeights({ checkpoint: await openCheckpoint(store), config: readModelConfig(saved) });
    expect(again.quantized.size).toBe(14);
    expect(again.tensors.get("lm_head.weight")!.dtype).toBe("BF16");
    const name = "model.layers.0.mlp.up_proj.weight";
    const sum = toFloat32(toBfloat16(await weights.read(name), "F32").values, "BF16").values;
    const quantized = quantizeWeights(sum);
    const nested = quantizeScales(quantized.absmax);
    expect((await stored(await openCheckpoint(store), name))[".absmax"]).toEqual(nested.codes);
    expect((await stored(await openCheckpoint(store), name))[""]).toEqual(quantized.packed);
    expect(dequantizeWeights(quantized, { size: sum.length, dtype: "bfloat16" })).toHaveLength(sum.length);
  });

  it("gives the codes of the worked example: the sum is rounded to bf16 before it is quantised", async () => {
    const model = await openModel("model-bf16");
    const name = "model.layers.0.self_attn.q_proj";
    const block = toFloat32(
      toBfloat16(
        dequantizeWeights(quantizeWeights(Float32Array.from({ length: 64 }, (_, i) => (i - 31.5) / 64)), { size: 64, dtype: "bfloat16" }),
        "F32",
      ).values,
      "BF16",
    ).values;
    const base = { ...(await mergedWeights(model)) };
    const a = Float32Array.from({ length: 64 }, (_, i) => (((5 * i) % 11) - 5) / 10);
    const b = new Float32Array(64);
    b[0] = 0.05;
    const prefix = `base_model.model.${name}.lora_`;
    const file = await encodeSafetensors({
      [`${prefix}A.weight`]: { dtype: "F32", shape: [1, 64], data: a },
      [`${prefix}B.weight`]: { dtype: "F32", shape: [64, 1], data: b },
    });
    const checkpoint: Checkpoint = {
      ...model.checkpoint,
      readRange: async (key, start, end) => {
        const bytes = (await model.checkpoint.readRange(key, start, end)).slice();
        if (key === `${name}.weight` && start === 0) bytes.set(new Uint8Array(toBfloat16(block, "F32").values.buffer));
        return bytes;
      },
    };
    const adapter = {
      config: loraConfig({ r: 1, loraAlpha: 1, targetModules: ["q_proj"], layersToTransform: [0] }),
      tensors: await openSafetensors(bytesSource(file)),
    };
    const store = memoryStore();
    await writeMerged(store, await mergedWeights({ checkpoint, config: base.config }, { adapters: [adapter] }), {
      configJson: configJson("model-bf16"),
      dtype: "nf4",
    });
    const codes = (await stored(await openCheckpoint(store), `${name}.weight`))[""]!.subarray(0, 32);
    expect([...codes].map((byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(
      "00000111111113222233344455656667778999aaababbcccddddeeedeeefffff",
    );
  });
});
