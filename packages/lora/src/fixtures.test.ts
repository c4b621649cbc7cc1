import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { folderStore } from "@kto/core/node";
import { encodeSafetensors } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { describe, expect, it } from "vitest";
import { qwen2Tree, type Qwen2Sizes } from "./testing/qwen2-tree.js";
import {
  ADAPTER_METADATA,
  adapterTensors,
  saveAdapter,
  adapterTensorShapes,
  formatAdapterConfig,
  LoraConfigError,
  parseAdapterConfig,
  parseAdapterTensorName,
} from "./index.js";
import { loadAdapter, readAdapterConfig } from "./node.js";

const fixtures = new URL("../../testing/fixtures/", import.meta.url);
const model = qwen2Tree(JSON.parse(readFileSync(new URL("model/config.json", fixtures), "utf8")) as Qwen2Sizes);
/** Adapters that must be refused, and the field that says why; every other folder must load. */
const refused: Record<string, string> = {
  dora: "use_dora",
  "bias-all": "bias",
  "lora-bias": "lora_bias",
};

const folders = ["lora", "adapters"].flatMap((kind) =>
  readdirSync(new URL(kind, fixtures), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => [`${kind}/${entry.name}`, entry.name, fileURLToPath(new URL(`${kind}/${entry.name}`, fixtures))] as const),
);

describe.each(folders.filter(([, name]) => name in refused))("%s, saved by peft", (_title, name, folder) => {
  it("is refused by name", async () => {
    const reading = readAdapterConfig(folder);
    await expect(reading).rejects.toThrow(LoraConfigError);
    await expect(reading).rejects.toMatchObject({ field: refused[name] });
    await expect(reading).rejects.toThrow(refused[name]!);
  });
});

describe.each(folders.filter(([, name]) => !(name in refused)))("%s, saved by peft", (_title, _name, folder) => {
  it("has the tensors that its config asks for on the tiny model", async () => {
    const { config, targets, weights, embeddings } = await loadAdapter(folder, model);
    const file = await openSafetensorsFile(join(folder, "adapter_model.safetensors"));
    const shapes = new Map<string, readonly number[]>(adapterTensorShapes(targets));
    for (const [path, { shape }] of embeddings) shapes.set(`base_model.model.${path}.weight`, shape);
    expect(Object.fromEntries([...file.tensors].map(([key, { shape }]) => [key, shape]))).toEqual(Object.fromEntries(shapes));
    await file.dispose();
    expect(
      [...file.tensors.keys()]
        .filter((key) => parseAdapterTensorName(key))
        .every((key) => targets.some(({ path }) => path === parseAdapterTensorName(key)?.path)),
    ).toBe(true);
    expect([...weights.values()].flatMap(({ a, b }) => [...a, ...b]).every(Number.isFinite)).toBe(true);
    expect(parseAdapterConfig(formatAdapterConfig(config))).toEqual(config);
  });

  it("is written back with the same bytes", async () => {
    const { targets, weights, embeddings } = await loadAdapter(folder, model);
    const written = await encodeSafetensors(adapterTensors(targets, weights, embeddings), { metadata: ADAPTER_METADATA });
    expect(Buffer.from(written).equals(await readFile(join(folder, "adapter_model.safetensors")))).toBe(true);
  });

  it.each(["default", "ref"])("saves and loads as %s", async (adapterName) => {
    const scratch = await mkdtemp(join(tmpdir(), "kto-lora-"));
    try {
      const adapter = await loadAdapter(folder, model);
      const saved = await saveAdapter(folderStore(scratch), { ...adapter, adapterName });
      expect(saved.name).toBe(adapterName === "default" ? scratch : join(scratch, adapterName));
      expect(readdirSync(saved.name).sort()).toEqual(["README.md", "adapter_config.json", "adapter_model.safetensors"]);
      expect(await loadAdapter(scratch, model, adapterName)).toEqual(adapter);
    } finally {
      await rm(scratch, { recursive: true });
    }
  });
});
