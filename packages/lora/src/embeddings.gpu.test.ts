import { readFile } from "node:fs/promises";
import { bytesSource, memoryStore, type ByteDirectory } from "@kto/core";
import { fileDirectory } from "@kto/core/node";
import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { encodeSafetensors, type TensorToWrite } from "@kto/safetensors";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNoBuffersLeft } from "../../testing/src/no-buffers-left.js";
import { getPeftModel, mergeAndUnload, PeftModel, readAdapter, saveAdapter, withoutAdapters } from "./index.js";

interface EmbeddingCase {
  name: string;
  tied: boolean;
  brings: string[];
  config: { modules_to_save?: string[] };
  on: number;
  off: number;
  merged: number;
}
const { ids, cases } = JSON.parse(await readFile(fixturePath("embeddings/cases.json"), "utf8")) as {
  ids: number[];
  cases: EmbeddingCase[];
};

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());
expectNoBuffersLeft(() => device);

/** The numbers of the fixture's generator: ((row · a + column · b) mod period − period / 2) / divisor. */
function pattern(shape: [number, number], [a, b, period, divisor]: readonly [number, number, number, number]): TensorToWrite {
  const [rows, columns] = shape;
  const data = Float32Array.from({ length: rows * columns }, (_, index) => {
    const [row, column] = [Math.floor(index / columns), index % columns];
    return (((row * a + column * b) % period) - Math.floor(period / 2)) / divisor;
  });
  return { dtype: "F32", shape, data };
}
const patterns = { "model.embed_tokens": [7, 13, 29, 16], lm_head: [5, 11, 31, 64] } as const;

function folderOf(files: Record<string, Uint8Array | string>, name: string): ByteDirectory {
  const bytes = (content: Uint8Array | string): Uint8Array => (typeof content === "string" ? new TextEncoder().encode(content) : content);
  return { name, open: async (file) => (Object.hasOwn(files, file) ? bytesSource(bytes(files[file]!), file) : undefined) };
}

async function baseModel(tied: boolean, dtype: "f32" | "auto" = "f32"): Promise<DecoderForCausalLM> {
  const config = JSON.parse(await readFile(fixturePath("model/config.json"), "utf8")) as object;
  const weights = fileDirectory(fixturePath("model"));
  const json = folderOf({ "config.json": JSON.stringify({ ...config, tie_word_embeddings: false }) }, "m");
  const untied: ByteDirectory = { name: "m", open: async (file) => (await json.open(file)) ?? weights.open(file) };
  const model = await loadCausalLM(untied, { device, dtype });
  if (!tied) return model;
  model.embeddings.output.take(model.embeddings.input.own); // one matrix for both, as a tied checkpoint loads
  return model;
}

async function adapterFolder({ brings, config }: EmbeddingCase, others: Record<string, TensorToWrite> = {}): Promise<ByteDirectory> {
  const tensors: [string, TensorToWrite][] = [0, 1].flatMap((layer) => {
    const name = `base_model.model.model.layers.${layer}.self_attn.q_proj`;
    return [
      [`${name}.lora_A.weight`, pattern([2, 64], [31, 17, 23, 64])],
      [`${name}.lora_B.weight`, pattern([64, 2], [13, 7, 19, 64])],
    ] as [string, TensorToWrite][];
  });
  for (const path of brings) tensors.push([`base_model.model.${path}.weight`, pattern([512, 64], patterns[path as keyof typeof patterns])]);
  const fields = { peft_type: "LORA", task_type: "CAUSAL_LM", r: 2, lora_alpha: 4, target_modules: ["q_proj"], ...config };
  return folderOf(
    {
      "adapter_config.json": JSON.stringify(fields),
      "adapter_model.safetensors": await encodeSafetensors([...tensors, ...Object.entries(others)]),
    },
    "adapter",
  );
}

async function load(model: DecoderForCausalLM, folder: ByteDirectory): Promise<PeftModel<DecoderForCausalLM>> {
  const { config, weights, embeddings } = await readAdapter(folder, model);
  const adapted = new PeftModel(model);
  adapted.addAdapter(config, { weights, embeddings });
  return adapted;
}

async function logProb(model: DecoderForCausalLM): Promise<number> {
  using result = device.scope(() => {
    const labels = device.tensor([...ids.slice(1), 0], [ids.length], "u32");
    return device.noGrad(() => model.logProbs(model.hiddenStates(model.packRows([ids])), labels).logProbs);
  });
  return [...(await result.read())].slice(0, -1).reduce((total, value) => total + value, 0);
}

describe.each(cases)("an adapter with $name", (it) => {
  test("gives peft's log-probabilities with it, without it, and after it is gone", async () => {
    using base = await baseModel(it.tied);
    const before = await logProb(base);
    const adapted = await load(base, await adapterFolder(it));
    expect(await logProb(base)).toBeCloseTo(it.on, 3);
    const off = withoutAdapters(adapted, () => device.scope(() => logProb(base)));
    expect(await off).toBeCloseTo(it.off, 3);
    adapted.copyAdapter("default", "reference");
    expect(await adapted.withAdapters(["reference"], () => logProb(base))).toBeCloseTo(it.on, 3);
    adapted.deleteAdapter("reference");
    expect(await logProb(base)).toBeCloseTo(it.on, 3);
    adapted.dispose();
    expect(await logProb(base)).toBe(before);
  });

  test("is saved again as it came", async () => {
    using base = await baseModel(it.tied);
    const folder = await adapterFolder(it);
    const adapter = await readAdapter(folder, base);
    const store = memoryStore();
    await saveAdapter(store, adapter);
    expect(await readAdapter(store, base)).toEqual(adapter);
    expect([...adapter.embeddings.keys()].sort()).toEqual(it.brings.toSorted());
  });

  test("is merged into the base, which is saved with it", async () => {
    using base = await baseModel(it.tied);
    await mergeAndUnload(await load(base, await adapterFolder(it)));
    expect(await logProb(base)).toBeCloseTo(it.merged, 3);
    const store = memoryStore();
    await base.savePretrained(store);
    using again = await loadCausalLM(store, { device, dtype: "f32" });
    expect(await logProb(again)).toBeCloseTo(it.merged, 3);
    expect(again.numParameters).toBe(base.numParameters);
  });
});

test("embeddings take the dtype of the model's own", async () => {
  using base = await baseModel(false, "auto");
  using adapted = await load(base, await adapterFolder(cases[1]!));
  expect(base.embeddings.input.weight.dtype).toBe(base.dtype);
  expect(base.embeddings.input.weight).not.toBe(base.embeddings.input.own);
  expect(Math.abs((await logProb(base)) - cases[1]!.on)).toBeLessThan(0.1);
  expect(adapted.activeAdapter.embeddings.size).toBe(2);
});

describe("refused, with what to do", () => {
  const [plain] = cases as [EmbeddingCase];
  test.each<[string, EmbeddingCase, Record<string, TensorToWrite>, RegExp]>([
    [
      "another vocabulary",
      plain,
      { "base_model.model.lm_head.weight": pattern([510, 64], patterns.lm_head) },
      /brings a lm_head of another shape than the model's; expected \[512, 64\], got \[510, 64\].*merge it there with peft/,
    ],
    [
      "an embedding of integers",
      plain,
      { "base_model.model.lm_head.weight": { dtype: "I32", shape: [512, 64], data: new Int32Array(512 * 64) } },
      /lm_head is no plain float; expected F32, F16, BF16, got I32/,
    ],
    [
      "a norm in full",
      { ...plain, config: { modules_to_save: ["norm"] } },
      {},
      /modules_to_save names "norm", which is "model\.layers\.0\.input_layernorm" here; expected the embedding or the head, model\.embed_tokens or lm_head; merge such an adapter with peft/,
    ],
    [
      "a module that is not there",
      { ...plain, config: { modules_to_save: ["score"] } },
      {},
      /modules_to_save names "score", which is no module here/,
    ],
    [
      "a head in full that the file lacks",
      { ...plain, config: { modules_to_save: ["lm_head"] } },
      {},
      /missing: base_model\.model\.lm_head\.weight/,
    ],
    [
      "an adapter on the embedding",
      plain,
      { "base_model.model.model.embed_tokens.lora_embedding_A": pattern([2, 512], [1, 1, 7, 8]) },
      /trained with adapters on embeddings, which is not supported; merge it with peft first/,
    ],
    [
      "some tokens' rows",
      plain,
      { "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": pattern([2, 64], [1, 1, 7, 8]) },
      /trained with trainable_token_indices, which is not supported/,
    ],
  ])("%s", async (_what, it, others, message) => {
    using base = await baseModel(it.tied);
    await expect(readAdapter(await adapterFolder(it, others), base)).rejects.toThrow(message);
  });

  test("a new adapter that would train modules in full", async () => {
    using base = await baseModel(false);
    expect(() => getPeftModel(base, { modulesToSave: ["lm_head"] })).toThrow(
      "modulesToSave trains modules in full, which is not done here",
    );
  });
});
