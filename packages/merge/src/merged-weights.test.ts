import { bytesSource } from "@kto/core";
import { loraConfig, type LoraConfig } from "@kto/lora";
import { openNf4Values } from "@kto/nf4";
import { encodeSafetensors, openSafetensors, toFloat32, type SafetensorsFile } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, describe, expect, it } from "vitest";
import { mergedWeights, type AdapterToMerge, type ModelOnDisk } from "./index.js";
import { closeFixtures, openAdapter, openModel } from "./testing/open-fixtures.js";

afterAll(closeFixtures);

const values = async (file: SafetensorsFile, name: string): Promise<Float32Array> => {
  const { data, dtype } = await file.read(name);
  return toFloat32(data, dtype).values;
};
const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
const q = "model.layers.0.self_attn.q_proj.weight";

describe("mergedWeights", () => {
  it("are peft's, whole and row by row", async () => {
    const weights = await mergedWeights(await openModel("model"), { adapters: [await openAdapter("main")] });
    await using expected = await openSafetensorsFile(fixturePath("lora", "main", "merged.safetensors"));
    expect(expected.tensors.size).toBe(5);
    for (const [name, { shape }] of expected.tensors) {
      const whole = await weights.read(name);
      expect(largestDifference(whole, await values(expected, name)), name).toBeLessThan(2e-6);
      expect(weights.tensors.get(name)).toEqual({ shape: [...shape], dtype: "F32" });
      const rowSize = shape[1]!;
      expect(await weights.read(name, { from: 3, to: 8 })).toEqual(whole.slice(3 * rowSize, 8 * rowSize));
    }
    expect(weights.base).toBe("plain");
    await expect(weights.read("model.layers.9.mlp.up_proj.weight")).rejects.toThrow(/there is no weight/);
  });

  it("leave everything that no adapter is on as it is, in the model's order", async () => {
    const model = await openModel("model-sharded");
    const weights = await mergedWeights(model);
    expect([...weights.tensors.keys()].sort()).toEqual([...model.checkpoint.tensors.keys()].sort());
    expect([...weights.tensors.keys()][0]).toBe("model.embed_tokens.weight");
    for (const [name, { dtype }] of weights.tensors) expect(dtype, name).toBe(model.checkpoint.tensors.get(name)!.dtype);
  });

  it("add several adapters, each product times its weight", async () => {
    const base = await (await mergedWeights(await openModel("model"))).read(q);
    const alone = async (name: string): Promise<Float32Array> =>
      (await mergedWeights(await openModel("model"), { adapters: [await openAdapter(name)] })).read(q);
    const [main, rank] = [await alone("main"), await alone("rank-one")];
    const both = await mergedWeights(await openModel("model"), {
      adapters: [await openAdapter("main", 0.7), await openAdapter("rank-one", -0.3)],
    });
    const sum = base.map((value, i) => value + 0.7 * (main[i]! - value) - 0.3 * (rank[i]! - value));
    expect(largestDifference(await both.read(q), sum)).toBeLessThan(1e-6);
    const { changeSquares } = await both.readWithChange(q);
    expect(changeSquares).toBeCloseTo(
      base.reduce((total, value, i) => total + (sum[i]! - value) ** 2, 0),
      5,
    );
  });

  it("put a head that was trained in full in the place of the model's", async () => {
    const adapter = await openAdapter("modules-to-save");
    const weights = await mergedWeights(await openModel("model"), { adapters: [adapter] });
    expect(await weights.read("lm_head.weight")).toEqual(await values(adapter.tensors, "base_model.model.lm_head.weight"));
    expect(await weights.read("lm_head.weight", { from: 1, to: 2 })).toHaveLength(64);
    await expect(mergedWeights(await openModel("model"), { adapters: [{ ...adapter, weight: 0.5 }] })).rejects.toThrow(
      /modules-to-save brings the lm_head in full, which has no weight; expected weight 1 for this adapter, got 0.5/,
    );
    await expect(mergedWeights(await openModel("model"), { adapters: [adapter, { ...adapter, name: "again" }] })).rejects.toThrow(
      /two adapters bring the lm_head in full; expected one at most, got modules-to-save and again/,
    );
  });

  it("are added to what layers in four bits stand for", async () => {
    const model = await openModel("nf4", "model-dynamic");
    const adapters = [await openAdapter("main")];
    const weights = await mergedWeights(model, { adapters });
    const name = [...weights.quantized.keys()].find((path) => path.endsWith("q_proj"))!;
    expect(weights).toMatchObject({ base: "nf4", config: { tieWordEmbeddings: false } });
    const stored = await (await openNf4Values(model.checkpoint, `${name}.weight`)).readRows(0, 64);
    const plain = await mergedWeights(await openModel("model-bf16"), { adapters });
    const [own, change] = [
      await (await mergedWeights(await openModel("model-bf16"))).read(`${name}.weight`),
      await plain.read(`${name}.weight`),
    ];
    const expected = stored.map((value, i) => value + (change[i]! - own[i]!));
    expect(largestDifference(await weights.read(`${name}.weight`), expected)).toBeLessThan(1e-6);

    const to16 = await mergedWeights(model, { adapters, base16: await openModel("model-bf16") });
    expect(to16.base).toBe("base16");
    expect(to16.quantized.size).toBe(weights.quantized.size);
    for (const tensor of to16.tensors.keys()) expect(await to16.read(tensor), tensor).toEqual(await plain.read(tensor));
  });
});

describe("refused before a weight is read", () => {
  const tinyAdapter = async (fill: number): Promise<AdapterToMerge> => {
    const config: LoraConfig = loraConfig({ r: 1, targetModules: ["q_proj"], layersToTransform: [0] });
    const matrix = (shape: number[]): { dtype: "F32"; shape: number[]; data: Float32Array } => ({
      dtype: "F32",
      shape,
      data: new Float32Array(64).fill(fill),
    });
    const bytes = await encodeSafetensors({
      "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": matrix([1, 64]),
      "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight": matrix([64, 1]),
    });
    return { config, tensors: await openSafetensors(bytesSource(bytes)), name: "outputs" };
  };

  it("NaN in an adapter; and while reading, a sum that is not finite", async () => {
    await expect(mergedWeights(await openModel("model"), { adapters: [await tinyAdapter(NaN)] })).rejects.toMatchObject({
      code: "ADAPTER_FILE",
      message: expect.stringMatching(/outputs: element 0 of .*lora_A.weight is NaN; expected finite numbers/),
    });
    const weights = await mergedWeights(await openModel("model"), { adapters: [await tinyAdapter(1e20)] });
    await expect(weights.read(q)).rejects.toThrow(/q_proj.weight: element 0 is Infinity; expected finite sums/);
    await expect(mergedWeights(await openModel("model"), { adapters: [{ ...(await tinyAdapter(1)), weight: NaN }] })).rejects.toThrow(
      /the weight of outputs is no number to multiply with; expected a finite one, got NaN/,
    );
  });

  it("an adapter of another shape", async () => {
    const other = { ...(await openAdapter("main")), config: { ...(await openAdapter("main")).config, r: 4 } };
    await expect(mergedWeights(await openModel("model"), { adapters: [other] })).rejects.toMatchObject({ code: "ADAPTER_FILE" });
    await expect(mergedWeights(await openModel("nf4", "model-aligned"), { adapters: [await openAdapter("main")] })).rejects.toMatchObject({
      code: "ADAPTER_FILE",
    });
  });

  it("a 16-bit base of another vocabulary, shape, or of other weights", async () => {
    const model = await openModel("nf4", "model-dynamic");
    const base16 = await openModel("model-bf16");
    const wider = { ...base16, config: { ...base16.config, vocabSize: 500 } };
    await expect(mergedWeights(model, { base16: wider })).rejects.toThrow(
      /another model .*; expected vocab_size 512, got 500; give the 16-bit checkpoint/,
    );
    const deeper = { ...base16, config: { ...base16.config, numHiddenLayers: 3 } };
    await expect(mergedWeights(model, { base16: deeper })).rejects.toThrow(/expected num_hidden_layers 2, got 3/);
    const shuffled: ModelOnDisk = {
      ...base16,
      checkpoint: {
        ...base16.checkpoint,
        readRange: (name, start, end) => base16.checkpoint.readRange(name.replace("layers.0", "layers.1"), start, end),
      },
    };
    await expect(mergedWeights(model, { base16: shuffled })).rejects.toThrow(
      /other weights than the model .* by the error of quantising, 0.1 of its size, got 1\.\d\d/,
    );
  });
});
