import { memoryStore, readText, type Store } from "@kto/core";
import { getPeftModel, mergeAndUnload } from "@kto/lora";
import { checkpointWeights, openCheckpoint } from "@kto/safetensors";
import type { Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { KTOTrainer } from "@kto/trainer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadAdapter, loadDataset, loadModel, openDevice, savePretrainedMerged, type LoadedModel } from "../index.js";

let device: Device;
let model: LoadedModel;
beforeAll(async () => {
  device = await openDevice({ device: process.env["KTO_DEVICE"] === "gpu" ? "gpu" : "software" });
  model = await loadModel(fixturePath("model"), { device, dtype: "f32" });
});
afterAll(() => {
  model.dispose();
  device.dispose();
});

const ids = [5, 17, 200, 31, 8, 99];

async function logits(of: LoadedModel): Promise<Float32Array> {
  return (await device
    .scope(() => {
      const batch = of.packRows([ids]);
      return of.logits(of.hiddenStates(batch));
    })
    .read()) as Float32Array;
}

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
const names = async (store: Store): Promise<string[]> => (await store.list()).map(({ name }) => name);

/** Logits of the tiny model are up to 8; 2⁻⁸ of a weight is bf16's rounding. */
const tolerance = { f32: 3e-4, f16: 3e-2, bf16: 0.3 } as const;

describe("savePretrainedMerged", () => {
  it.each(["f32", "f16", "bf16"] as const)("in %s computes what the adapter computed, loads and trains again", async (dtype) => {
    const store = memoryStore();
    using adapted = await loadAdapter(model, fixturePath("lora", "main"), { isTrainable: false });
    const expected = await logits(model);
    const merged = await savePretrainedMerged(adapted, store, { dtype });
    expect(merged).toMatchObject({ base: "plain", dtype, tokenizer: "given" });
    expect(await logits(model)).toEqual(expected);
    using again = await loadModel(store, { device, dtype: "f32" });
    const difference = largestDifference(await logits(again), expected);
    expect(difference).toBeLessThan(tolerance[dtype]);
    expect(again.tokenizer!.encode("2 + 2 = 4")).toEqual(model.tokenizer!.encode("2 + 2 = 4"));

    const trainer = new KTOTrainer({
      model: again,
      peftConfig: { r: 2 },
      trainDataset: await loadDataset(fixturePath("kto", "rows.jsonl"), { maxRows: 4 }),
      args: { maxSteps: 1, perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 1, learningRate: 1e-3, maxLength: 48, loggingSteps: 1 },
    });
    const losses: number[] = [];
    for await (const { loss } of trainer.train()) losses.push(loss);
    expect(losses).toHaveLength(1);
    expect(losses[0]).toBeCloseTo(0.5, 1);
  });

  it('writes the adapter alone as "lora", and what quantising again lost as "merged_4bit_forced"', async () => {
    using adapted = await loadAdapter(model, fixturePath("lora", "main"));
    const lora = memoryStore();
    expect(await savePretrainedMerged(adapted, lora, { saveMethod: "lora" })).toBeUndefined();
    expect(await names(lora)).toEqual(expect.arrayContaining(["adapter_config.json", "adapter_model.safetensors", "tokenizer.json"]));
    expect(await names(lora)).not.toContain("config.json");
    using again = await loadAdapter(await loadModel(fixturePath("model"), { device, dtype: "f32" }), lora);
    expect(await again.readAdapter()).toEqual(await adapted.readAdapter());
    again.base.dispose();
    const forced = memoryStore();
    const merged = await savePretrainedMerged(adapted, forced, { saveMethod: "merged_4bit_forced" });
    expect(merged!.loss!.relativeError).toBeGreaterThan(0.05);
    expect(await readText(forced, "config.json")).toContain('"bnb_4bit_quant_type": "nf4"');
  });

  it("adds adapters of a model that was quantised while it loaded to the 16 bits of its files", async () => {
    using quantised = await loadModel(fixturePath("model-bf16"), { device, dtype: "f32", loadIn4bit: true });
    using adapted = await loadAdapter(quantised, fixturePath("lora", "main"));
    const store = memoryStore();
    expect(await savePretrainedMerged(adapted, store)).toMatchObject({ base: "plain", dtype: "bf16" });
    const name = "model.layers.0.input_layernorm.weight";
    const [a, b] = [checkpointWeights(await openCheckpoint(store)), checkpointWeights(await openCheckpoint(quantised.files.directory))];
    expect(await a.read(name)).toEqual(await b.read(name));
  });

  it("refuses merged_4bit with the reason, unknown methods, and a model that is not as its files any more", async () => {
    const store = memoryStore();
    using adapted = await loadAdapter(model, fixturePath("lora", "main"));
    const save = (options: object): Promise<unknown> => savePretrainedMerged(adapted, store, options);
    await expect(save({ saveMethod: "merged_4bit" })).rejects.toThrow(
      /error of that is of the size of what most adapters change.*pass "merged_4bit_forced"/,
    );
    await expect(save({ saveMethod: "gguf" })).rejects.toThrow(/expected "merged_16bit", "merged_4bit_forced", "lora", got "gguf"/);
    await expect(save({ saveMethod: "lora", dtype: "f16" })).rejects.toThrow(/dtype has no effect with saveMethod "lora"/);
    await expect(save({ dtype: "int8" })).rejects.toThrow(/dtype is none that a model is saved in/);
    adapted.setAdapter([]);
    await expect(save({})).rejects.toThrow(/no adapter is active/);
    const changed = await loadModel(fixturePath("model"), { device, dtype: "f32" });
    await mergeAndUnload(await loadAdapter(changed, fixturePath("lora", "rank-one")));
    using more = getPeftModel(changed, { r: 2 });
    await expect(savePretrainedMerged(more, store)).rejects.toThrow(
      /the weights were changed on the device .*, which the model's files know nothing of/,
    );
    changed.dispose();
    expect(await names(store)).toEqual([]);
  });
});
