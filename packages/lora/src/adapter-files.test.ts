import { mkdtempSync, writeFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { folderStore } from "@kto/core/node";
import { bytesSource, isKtoError } from "@kto/core";
import { encodeSafetensors, openSafetensors, type TensorsToWrite } from "@kto/safetensors";
import { afterAll, describe, expect, it } from "vitest";
import { qwen2Tree, tinySizes } from "./testing/qwen2-tree.js";
import {
  AdapterFileError,
  adapterModelCard,
  isUntouchedCard,
  adapterSubfolder,
  adapterTensorName,
  adapterTensors,
  initialLoraWeights,
  loraConfig,
  parseAdapterTensorName,
  readAdapterWeights,
  resolveTargets,
  saveAdapter,
  type LoraContent,
} from "./index.js";
import { loadAdapter, readAdapterConfig } from "./node.js";

const model = qwen2Tree({ ...tinySizes, num_hidden_layers: 1 });
const { targets, config } = resolveTargets(model, loraConfig({ r: 2, targetModules: ["q_proj"], baseModelNameOrPath: "org/base" }));
const path = "model.layers.0.self_attn.q_proj";
const aName = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
const bName = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
const scratch = mkdtempSync(join(tmpdir(), "kto-lora-"));
afterAll(() => rm(scratch, { recursive: true }));

const zeros = { dtype: "F32", shape: [2, 64], data: new Float32Array(128) } as const;
const good: TensorsToWrite & Record<string, unknown> = { [aName]: zeros, [bName]: { ...zeros, shape: [64, 2] } };
const readTensors = async (tensors: TensorsToWrite): Promise<ReadonlyMap<string, unknown>> =>
  readAdapterWeights(await openSafetensors(bytesSource(await encodeSafetensors(tensors))), targets);

it("names go both ways", () => {
  expect([adapterTensorName(path, "A"), adapterTensorName(path, "B")]).toEqual([aName, bName]);
  expect(parseAdapterTensorName(bName)).toEqual({ path, matrix: "B" });
  expect(parseAdapterTensorName("base_model.model.lm_head.weight")).toBeUndefined();
});

describe("readAdapterWeights", () => {
  it("raises F16 and BF16 to f32", async () => {
    const half = { dtype: "F16", shape: [2, 64], data: new Uint16Array(128).fill(0x3555) } as const;
    const brain = { dtype: "BF16", shape: [64, 2], data: new Uint16Array(128).fill(0xbf9e) } as const;
    const layer = (await readTensors({ [aName]: half, [bName]: brain })).get(path) as { a: Float32Array; b: Float32Array };
    expect([layer.a[0], layer.b[127]]).toEqual([0.333251953125, -1.234375]);
  });

  it.each([
    ["missing", { [aName]: zeros }, { missing: [bName] }, `missing: ${bName}`],
    ["left over", { ...good, extra: zeros }, { unexpected: ["extra"] }, "not expected: extra"],
    ["another shape", { ...good, [bName]: zeros }, { mismatched: [bName] }, "(expected [64, 2], got [2, 64])"],
    [
      "another dtype",
      { ...good, [aName]: { ...zeros, dtype: "I32" as const } },
      { mismatched: [aName] },
      "(expected F32, F16, BF16, got I32)",
    ],
    ["DoRA", { ...good, [`${path}.lora_magnitude_vector`]: zeros }, {}, "trained with use_dora, which is not supported"],
  ])("refuses: %s", async (_title, tensors, facts, message) => {
    const reading = readTensors(tensors as TensorsToWrite);
    await expect(reading).rejects.toThrow(AdapterFileError);
    await expect(reading).rejects.toMatchObject({ code: "ADAPTER_FILE", ...facts });
    await expect(reading).rejects.toThrow(message);
  });
});

describe("saveAdapter", () => {
  const weights = new Map(targets.map((target) => [target.path, initialLoraWeights(target, { seed: 1 })]));

  it("takes contents that come when their turn does", async () => {
    const { a, b } = weights.get(path)!;
    const later = new Map<string, LoraContent>([[path, { a: async () => a, b: () => b }]]);
    await saveAdapter(folderStore(join(scratch, "later")), { config, targets, weights: later });
    expect((await loadAdapter(join(scratch, "later"), model)).weights).toEqual(weights);
  });

  it("leaves a README that is there", async () => {
    const folder = join(scratch, "with-readme");
    await mkdir(folder);
    await writeFile(join(folder, "README.md"), "mine");
    await saveAdapter(folderStore(folder), { config, targets, weights });
    expect(await readFile(join(folder, "README.md"), "utf8")).toBe("mine");
  });

  it("refuses weights that are not there, and a folder that is a file", async () => {
    expect(() => adapterTensors(targets, new Map())).toThrow(AdapterFileError);
    const file = join(scratch, "file");
    writeFileSync(file, "");
    await expect(saveAdapter(folderStore(join(file, "inside")), { config, targets, weights })).rejects.toSatisfy(isKtoError);
  });
});

describe("a folder that is no adapter", () => {
  it("has no config", async () => {
    await expect(readAdapterConfig(join(scratch, "nowhere"))).rejects.toMatchObject({ code: "SOURCE", reason: "ENOENT" });
  });

  it("has a config that is cut off: the path is named", async () => {
    const folder = join(scratch, "cut");
    await mkdir(folder);
    await writeFile(join(folder, "adapter_config.json"), '{"peft_type": "LO');
    await expect(readAdapterConfig(folder)).rejects.toThrow(join(folder, "adapter_config.json"));
    await expect(readAdapterConfig(folder)).rejects.toMatchObject({ code: "LORA_CONFIG" });
  });

  it("has only a pickle", async () => {
    const folder = join(scratch, "pickle");
    await mkdir(folder);
    await writeFile(join(folder, "adapter_config.json"), '{"peft_type": "LORA"}');
    await writeFile(join(folder, "adapter_model.bin"), "");
    await expect(loadAdapter(folder, model)).rejects.toThrow("a pickle");
  });
});

it("an adapter's name is a folder's name", () => {
  expect(adapterSubfolder("default")).toBe("");
  expect(adapterSubfolder("ref")).toBe("ref");
  for (const name of ["../up", "a/b", "", ".", "a b"]) expect(() => adapterSubfolder(name)).toThrow("an adapter's name");
});

it("the model card has the header that the hub reads", () => {
  const card = adapterModelCard(config, ["kto", "trl"]);
  expect(card.split("\n").slice(0, 12)).toEqual([
    "---",
    "base_model: org/base",
    "library_name: peft",
    "pipeline_tag: text-generation",
    "tags:",
    "- base_model:adapter:org/base",
    "- kto",
    "- lora",
    "- transformers",
    "- trl",
    "---",
    "",
  ]);
  expect(adapterModelCard(loraConfig({ baseModelNameOrPath: "a: [b]" }))).toContain('base_model: "a: [b]"');
  expect(adapterModelCard(loraConfig())).not.toContain("base_model:");
});

it("knows a model card that nobody changed", () => {
  const card = adapterModelCard(config);
  expect(isUntouchedCard(card)).toBe(true);
  expect(isUntouchedCard(card.replaceAll("\n", "\r\n").trimEnd())).toBe(true);
  for (const other of [card.replace("LoRA", "My"), `${card}more\n`, card.split("\n").slice(0, -2).join("\n"), "# Mine\n", ""])
    expect(isUntouchedCard(other)).toBe(false);
});
