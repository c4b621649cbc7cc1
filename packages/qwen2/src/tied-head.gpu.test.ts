import { readFile } from "node:fs/promises";
import { bytesSource, memoryStore, type ByteDirectory } from "@kto/core";
import { encodeSafetensors, openSafetensors, toBfloat16, type TensorToWrite } from "@kto/safetensors";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadCausalLM, type DecoderForCausalLM } from "./index.js";

const ids = [1, 2, 3, 250, 7, 31, 400];
const [embedding, head] = ["model.embed_tokens.weight", "lm_head.weight"];
type Tensors = Map<string, TensorToWrite & { data: Uint8Array }>;

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

/** The fixture's model with another config and other weights, in one file or in two. */
async function checkpoint(config: object, change: (tensors: Tensors) => void, numShards = 1): Promise<ByteDirectory> {
  const file = await openSafetensors(bytesSource(await readFile(fixturePath("model/model.safetensors")), "model.safetensors"));
  const tensors: Tensors = new Map();
  for (const name of file.tensors.keys()) tensors.set(name, await file.read(name));
  change(tensors);
  const json = { ...(JSON.parse(await readFile(fixturePath("model/config.json"), "utf8")) as object), ...config };
  const files = new Map<string, Uint8Array>([["config.json", new TextEncoder().encode(JSON.stringify(json))]]);
  const entries = [...tensors];
  if (numShards === 1) files.set("model.safetensors", await encodeSafetensors(entries));
  else {
    const shardOf = (index: number): string => `model-0000${(index % numShards) + 1}-of-0000${numShards}.safetensors`;
    const shards = new Map(
      Array.from({ length: numShards }, (_, shard) => [shardOf(shard), entries.filter((_e, index) => index % numShards === shard)]),
    );
    for (const [name, contents] of shards) files.set(name, await encodeSafetensors(contents));
    const weightMap = Object.fromEntries(entries.map(([name], index) => [name, shardOf(index)]));
    files.set("model.safetensors.index.json", new TextEncoder().encode(JSON.stringify({ weight_map: weightMap })));
  }
  return { name: "m", open: async (name) => (files.has(name) ? bytesSource(files.get(name)!, name) : undefined) };
}

async function logProb(model: DecoderForCausalLM): Promise<number> {
  using result = device.scope(() => {
    const labels = device.tensor([...ids.slice(1), 0], [ids.length], "u32");
    return device.noGrad(() => model.logProbs(model.hiddenStates(model.packRows([ids])), labels).logProbs);
  });
  return [...(await result.read())].slice(0, -1).reduce((total, value) => total + value, 0);
}

const copyOf = (tensors: Tensors): TensorToWrite & { data: Uint8Array } => ({
  ...tensors.get(embedding)!,
  data: Uint8Array.from(tensors.get(embedding)!.data),
});

/** What transformers 5.24 makes of each, in f32, and whether it writes a head. */
test.each<[string, boolean | undefined, (tensors: Tensors) => void, number, boolean]>([
  ["true, and a head of its own", true, () => undefined, -38.8712, true],
  ["false, and a head of its own", false, () => undefined, -38.8712, true],
  ["not said, and a head of its own", undefined, () => undefined, -38.8712, true],
  ["true, and no head", true, (tensors) => tensors.delete(head), -83.5157, false],
  ["true, and a copy of the embedding", true, (tensors) => tensors.set(head, copyOf(tensors)), -83.5157, false],
  [
    "true, and a copy in another dtype",
    true,
    (tensors) => {
      const { values } = toBfloat16(tensors.get(embedding)!.data, "F32"); // the fixture's numbers are all of them bf16
      tensors.set(head, { dtype: "BF16", shape: [512, 64], data: new Uint8Array(values.buffer) });
    },
    -83.5157,
    false,
  ],
  [
    "true, and a copy but for the last number",
    true,
    (tensors) => {
      const copy = copyOf(tensors);
      new Float32Array(copy.data.buffer, copy.data.byteLength - 4, 1)[0]! += 1;
      tensors.set(head, copy);
    },
    -83.5156,
    true,
  ],
  ["true, and the head alone", true, (tensors) => tensors.delete(embedding), -52.0959, false],
])("tie_word_embeddings %s", async (_what, tied, change, right, hasHead) => {
  for (const numShards of [1, 3]) {
    const folder = await checkpoint({ tie_word_embeddings: tied }, change, numShards);
    using model = await loadCausalLM(folder, { device, dtype: "f32" });
    expect(await logProb(model)).toBeCloseTo(right, 3);
    expect([model.isTied, model.config.tieWordEmbeddings]).toEqual([!hasHead, !hasHead]);
    expect(model.weights.has(head)).toBe(hasHead);
    const store = memoryStore();
    await model.savePretrained(store);
    using again = await loadCausalLM(store, { device, dtype: "f32" });
    expect(await logProb(again)).toBeCloseTo(right, 3);
    expect(again.numParameters).toBe(model.numParameters);
    expect(again.configJson["tie_word_embeddings"] ?? false).toBe(!hasHead);
  }
});

test.each<[string, boolean, (tensors: Tensors) => void, RegExp]>([
  [
    "a head of another shape",
    true,
    (tensors) => tensors.set(head, { dtype: "F32", shape: [500, 64], data: new Uint8Array(500 * 256) }),
    /lm_head\.weight contradicts config\.json; expected \[512, 64\], got \[500, 64\]/,
  ],
  [
    "a head that is no float",
    true,
    (tensors) => tensors.set(head, { dtype: "I8", shape: [512, 64], data: new Uint8Array(512 * 64) }),
    /lm_head\.weight has a dtype that is no plain float/,
  ],
  [
    "no head where there should be one",
    false,
    (tensors) => tensors.delete(head),
    /lm_head\.weight is missing.*set tie_word_embeddings to true in config\.json if the embedding is this model's head/,
  ],
  ["neither", true, (tensors) => [embedding, head].forEach((name) => tensors.delete(name)), /model\.embed_tokens\.weight is missing/],
])("refused: %s", async (_what, tied, change, message) => {
  const live = device.memory.info().liveStorages;
  await expect(loadCausalLM(await checkpoint({ tie_word_embeddings: tied }, change), { device, dtype: "f32" })).rejects.toThrow(message);
  expect(device.memory.info().liveStorages).toBe(live);
});
