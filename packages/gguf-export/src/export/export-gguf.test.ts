import { readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ArgumentError, bytesSource, DtypeError, FormatError, memoryStore, type Store, type WriteError } from "@kto/core";
import { folderStore } from "@kto/core/node";
import { encodeSafetensors, type TensorToWrite } from "@kto/safetensors";
import { gguf } from "@huggingface/gguf";
import { describe, expect, it } from "vitest";
import { type GgufFile, openGguf } from "../container/gguf-file.js";
import { encodeGguf } from "../container/writer.js";
import { GGUF_FILE_TYPES, type GgufFileType } from "../file-types.js";
import { ggufWeights } from "../gguf-weights.js";
import { conformance, sha256 } from "../testing/conformance.js";
import { fixture, fixtureModel, goldenModel } from "../testing/fixture-model.js";
import { goldenModels, metadataOf } from "../testing/golden-models.js";
import { exportGguf, type ExportGgufOptions, type GgufModel } from "./export-gguf.js";

const open = async (store: Store, path: string): Promise<GgufFile> => openGguf((await store.open(path))!);

async function exported(
  model: GgufModel,
  options: Partial<ExportGgufOptions> = {},
): Promise<{ store: Store; files: { path: string; bytes: number; type: string; bpw: number }[] }> {
  const store = options.store ?? memoryStore();
  return { store, ...(await exportGguf(model, { store, types: ["F32"], out: "model.gguf", ...options })) };
}

/** The bytes of a file of a golden model with the metadata of the known one in place of its own. */
async function withGoldenMetadata(file: GgufFile, name: "A" | "B", type: GgufFileType): Promise<Uint8Array> {
  const tensors = Array.from(file.tensors.values(), (tensor) => ({ ...tensor, data: () => file.read(tensor.name) }));
  return encodeGguf({ metadata: metadataOf(goldenModels[name], GGUF_FILE_TYPES[type].id, true), tensors });
}

describe("golden model B", () => {
  it("is llama.cpp's in every kind, all from one read", async () => {
    const model = goldenModel("B");
    let readValues = 0;
    const weights = {
      ...model.weights,
      read: async (...args: Parameters<typeof model.weights.read>) => {
        const values = await model.weights.read(...args);
        readValues += values.length;
        return values;
      },
    };
    const types = Object.keys(GGUF_FILE_TYPES).filter((type) => type !== "F32") as GgufFileType[];
    const { store, files } = await exported({ ...model, weights }, { types, out: "all" });
    const shapes = Array.from(model.weights.tensors.values(), ({ shape }) => shape.reduce((product, size) => product * size, 1));
    expect(readValues).toBe(shapes.reduce((sum, size) => sum + size, 0)); // each value once
    for (const { path, type } of files) {
      const bytes = await withGoldenMetadata(await open(store, path), "B", type as GgufFileType);
      expect({ byteLength: bytes.byteLength, sha256: sha256(bytes) }, type).toEqual(conformance.files.B[type]);
    }
  });
});

describe("a checkpoint", () => {
  it("comes back from F32 as the same safetensors, to the byte", async () => {
    const { store } = await exported(await fixtureModel("model"));
    const { tensors, read } = ggufWeights(await open(store, "model.gguf"));
    const entries = Array.from(tensors, ([name, { shape }]): [string, TensorToWrite] => [
      name,
      { dtype: "F32", shape, data: () => read(name) },
    ]);
    const again = await encodeSafetensors(entries, { metadata: { format: "pt" } });
    expect(sha256(again)).toBe(sha256(readFileSync(fixture("model", "model.safetensors"))));
  });

  it("says what llama.cpp's converter says, in its order, and what the quantiser moves to the end", async () => {
    const { store } = await exported(await fixtureModel("model"), { types: ["Q8_0"] });
    const { metadata, tensors } = await open(store, "model.gguf");
    const shown = Array.from(
      metadata,
      ([key, { type, value }]) => `${key} ${type} ${typeof value === "object" ? value.length : String(value).slice(0, 20)}`,
    );
    expect(shown).toEqual([
      "general.architecture string qwen2",
      "general.type string model",
      "general.sampling.top_p f32 0.949999988079071",
      "general.sampling.temp f32 0.6000000238418579",
      "general.name string Model",
      "general.size_label string 152K",
      "qwen2.block_count u32 2",
      "qwen2.context_length u32 4096",
      "qwen2.embedding_length u32 64",
      "qwen2.feed_forward_length u32 160",
      "qwen2.attention.head_count u32 4",
      "qwen2.attention.head_count_kv u32 2",
      "qwen2.rope.freq_base f32 10000",
      "qwen2.attention.layer_norm_rms_epsilon f32 9.999999974752427e-7",
      "tokenizer.ggml.model string gpt2",
      "tokenizer.ggml.pre string deepseek-r1-qwen",
      "tokenizer.ggml.tokens array 512",
      "tokenizer.ggml.token_type array 512",
      "tokenizer.ggml.merges array 232",
      "tokenizer.ggml.bos_token_id u32 491",
      "tokenizer.ggml.eos_token_id u32 488",
      "tokenizer.ggml.padding_token_id u32 497",
      "tokenizer.ggml.add_bos_token bool true",
      "tokenizer.ggml.add_eos_token bool false",
      expect.stringMatching(/^tokenizer\.chat_template string /),
      "general.quantization_version u32 2",
      "general.file_type u32 7",
    ]);
    expect([...tensors.keys()].slice(0, 4)).toEqual(["output.weight", "output_norm.weight", "token_embd.weight", "blk.0.attn_k.bias"]);
  });

  it("in bf16 and in shards keeps its bits in a BF16 file, and @huggingface/gguf reads it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "kto-gguf-"));
    try {
      const model = await fixtureModel("model-sharded");
      const { store } = await exported(model, { store: folderStore(folder), types: ["F32"] });
      const { metadata, tensorInfos } = await gguf(join(folder, "model.gguf"), { allowLocalFile: true });
      expect(metadata).toMatchObject({ "general.architecture": "qwen2", "qwen2.block_count": 2, "general.file_type": 0 });
      const own = await open(store, "model.gguf");
      expect(tensorInfos.map(({ name, shape, dtype }) => [name, shape.map(Number).toReversed(), dtype])).toEqual(
        Array.from(own.tensors.values(), ({ name, shape }) => [name, shape, 0]),
      );
      await own.dispose();
      expect(await readdir(folder)).toEqual(["model.gguf"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("is cut as gguf-split cuts it, and the parts are the whole", async () => {
    const model = await fixtureModel("model");
    const whole = await exported(model, { types: ["Q8_0"] });
    const { store, files } = await exported(model, { types: ["Q8_0"], out: "part.gguf", splitMaxSize: 60_000 });
    expect(files.map(({ path }) => path)).toEqual([
      "part-00001-of-00004.gguf",
      "part-00002-of-00004.gguf",
      "part-00003-of-00004.gguf",
      "part-00004-of-00004.gguf",
    ]);
    const file = await open(whole.store, "model.gguf");
    const parts = await Promise.all(files.map(({ path }) => open(store, path)));
    expect(parts.flatMap(({ tensors }) => [...tensors.keys()])).toEqual([...file.tensors.keys()]);
    for (const part of parts) for (const name of part.tensors.keys()) expect(await part.read(name)).toEqual(await file.read(name));
    expect([...parts[0]!.metadata.keys()]).toEqual([...file.metadata.keys(), "split.no", "split.count", "split.tensors.count"]);
    expect([...parts[2]!.metadata]).toEqual([
      ["split.no", { type: "u16", value: 2 }],
      ["split.count", { type: "u16", value: 4 }],
      ["split.tensors.count", { type: "i32", value: 27 }],
    ]);
    expect((await exported(model, { splitMaxSize: 1e9 })).files.map(({ path }) => path)).toEqual(["model.gguf"]);
    await expect(exported(await fixtureModel("model"), { splitMaxSize: 0 })).rejects.toThrow(ArgumentError);
  });
});

describe("nothing is written", () => {
  const cases: [
    what: string,
    change: (model: Awaited<ReturnType<typeof fixtureModel>>) => unknown,
    error: new (...args: never[]) => Error,
    message: RegExp,
  ][] = [
    ["another architecture", ({ config }) => (config["model_type"] = "llama"), FormatError, /expected model_type "qwen2", got "llama"/],
    [
      "positions that GGUF cannot say",
      ({ config }) => (config["rope_scaling"] = { rope_type: "dynamic", factor: 2 }),
      FormatError,
      /rope_type "dynamic" cannot be said/,
    ],
    [
      "a vocabulary larger than the embedding",
      ({ tokenizer }) => (tokenizer.tokenizerJson["added_tokens"] as unknown[]).push({ id: 512, content: "<new>" }),
      FormatError,
      /"<new>" has no row in the embedding/,
    ],
    [
      "an embedding of another size than the config",
      ({ config }) => (config["vocab_size"] = 513),
      FormatError,
      /embed_tokens\.weight" has another shape .* expected \[513, 64\], got \[512, 64\]|lm_head/,
    ],
    [
      "a pattern that is not Qwen2's",
      ({ tokenizer }) => (tokenizer.tokenizerJson["pre_tokenizer"] = { type: "Split", pattern: { Regex: "\\w+" } }),
      FormatError,
      /pre-tokenizer is not Qwen2's.*\\w\+/,
    ],
    [
      "missing merges",
      ({ tokenizer }) => delete (tokenizer.tokenizerJson["model"] as Record<string, unknown>)["merges"],
      FormatError,
      /no merges/,
    ],
    [
      "more layers than there are",
      ({ config }) => (config["num_hidden_layers"] = 3),
      FormatError,
      /not whole; expected 39 tensors, got none for blk\.2\.attn_norm\.weight, .* and 9 more/,
    ],
    ["fewer layers than there are", ({ config }) => (config["num_hidden_layers"] = 1), FormatError, /layer that the config does not have/],
  ];
  it.each(cases)("for %s", async (_, change, error, message) => {
    const model = await fixtureModel("model");
    change(model);
    const store = memoryStore();
    const failure = await exported(model, { store }).catch((caught: unknown) => caught);
    expect(failure).toBeInstanceOf(error);
    expect((failure as Error).message).toMatch(message);
    expect(await store.list()).toEqual([]);
  });

  it("for kinds that are none, or twice the same, or none at all", async () => {
    const model = await fixtureModel("model");
    await expect(exported(model, { types: ["Q9"] as never })).rejects.toThrow(DtypeError);
    await expect(exported(model, { types: ["F16", "F16"] })).rejects.toThrow(/got F16 twice/);
    await expect(exported(model, { types: [] })).rejects.toThrow(ArgumentError);
  });

  it("over a file that is there, without overwrite", async () => {
    const model = await fixtureModel("model");
    const store = memoryStore();
    await store.write("model.gguf", "mine");
    await expect(exported(model, { store })).rejects.toMatchObject({ code: "WRITE", reason: "EEXIST" });
    await exported(model, { store, overwrite: true });
    expect((await open(store, "model.gguf")).tensors.size).toBe(27);
  });

  it("to a disk that is too small, which is seen before the first byte", async () => {
    const store = { ...memoryStore(), freeBytes: async () => 1000, write: () => Promise.reject(new Error("written to")) };
    const error = (await exported(await fixtureModel("model"), { store }).catch((caught: unknown) => caught)) as WriteError;
    expect(error).toMatchObject({ code: "WRITE", reason: "ENOSPC" });
    expect(error.message).toMatch(/too little room in memory; expected 1 MB free, got 1 MB|expected 1 MB/);
  });

  it("that looks finished when a weight is not finite, a disk fills up or a signal comes, whatever is open", async () => {
    const folder = await mkdtemp(join(tmpdir(), "kto-gguf-"));
    try {
      const store = folderStore(folder);
      const model = await fixtureModel("model");
      const broken = {
        ...model.weights,
        read: async (...args: Parameters<typeof model.weights.read>) => {
          const values = await model.weights.read(...args);
          if (args[0] === "model.layers.1.mlp.up_proj.weight") values[3] = NaN;
          return values;
        },
      };
      const bad = exported({ ...model, weights: broken }, { store, types: ["F16", "Q8_0"], out: "x" });
      await expect(bad).rejects.toThrow(
        /weight model\.layers\.1\.mlp\.up_proj\.weight, rows 0 to 159 cannot be written: .*value 3 is not finite/,
      );
      const stop = new AbortController();
      const stopped = exported(model, {
        store,
        types: ["F16", "Q8_0"],
        out: "x",
        signal: stop.signal,
        onProgress: ({ writtenBytes }) => writtenBytes > 300_000 && stop.abort(new Error("enough")),
      });
      await expect(stopped).rejects.toThrow("enough");
      expect(await readdir(join(folder, "x"))).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

it("tells its progress and its plan", async () => {
  const progress: number[] = [];
  const planned: unknown[] = [];
  const { files } = await exported(await fixtureModel("model"), {
    types: ["Q4_0", "BF16"],
    out: "two",
    onPlan: (all) => planned.push(...all),
    onProgress: ({ writtenBytes, totalBytes }) => progress.push(writtenBytes / totalBytes),
  });
  expect(planned).toEqual(files);
  expect(files.map(({ path }) => path)).toEqual(["two/Model-152K-Q4_0.gguf", "two/Model-152K-BF16.gguf"]);
  expect(progress.at(-1)).toBe(1);
  expect(progress).toEqual(progress.toSorted((a, b) => a - b));
  expect(await openGguf(bytesSource(new Uint8Array(0))).catch((error: unknown) => error)).toBeInstanceOf(FormatError);
});
