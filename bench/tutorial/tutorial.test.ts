import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readParquet } from "@kto/datasets";
import { dequantizeScales, dequantizeWeights, isNf4Weight, readQuantizationConfig, readQuantState } from "@kto/nf4";
import { asTypedArray, bfloat16ToNumber, openCheckpoint, type Checkpoint } from "@kto/safetensors";
import { fileDirectory } from "@kto/core/node";
import { Tokenizer } from "@kto/tokenizer";
import { prepareKtoDataset } from "@kto/trainer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeCheckpoint } from "./checkpoint.js";
import { conversations } from "./conversations.js";
import { encodeKtoRows } from "./dataset-file.js";
import { resized, shapes } from "./shapes.js";
import { tutorialTokenizerFiles } from "./tokenizer-files.js";

const template = readFileSync(new URL("../../packages/testing/fixtures/templates/deepseek-r1-distill.jinja", import.meta.url), "utf8");
const files = tutorialTokenizerFiles(template);
const tokenizer = Tokenizer.fromFiles({
  tokenizerJson: files.get("tokenizer.json")!,
  tokenizerConfig: files.get("tokenizer_config.json")!,
  specialTokensMap: files.get("special_tokens_map.json")!,
});

describe("the tokenizer", () => {
  it("has the distills' tokens, and BOS before a text", () => {
    expect([tokenizer.vocabSize, tokenizer.bosTokenId, tokenizer.eosTokenId, tokenizer.padTokenId]).toEqual([
      151_665, 151_646, 151_643, 151_654,
    ]);
    expect(tokenizer.encode("Hello world")).toEqual([151_646, 9707, 1879]);
    expect(tokenizer.encode("<think>3333</think><|file_sep|>", { addSpecialTokens: false })).toEqual([
      151_648, 18, 18, 18, 18, 151_649, 151_664,
    ]);
    expect(tokenizer.isSpecial(tokenizer.tokenToId("<｜User｜>")!)).toBe(false);
    expect(tokenizer.tokenToId("<|im_start|>")).toBeNull();
  });

  it("renders a conversation with one BOS", () => {
    const ids = tokenizer.applyChatTemplate([{ role: "user", content: "Hi" }], { addGenerationPrompt: true });
    expect(ids).toEqual([151_646, 151_644, 13_048, 151_645, 151_648, 198]);
  });
});

describe("the data", () => {
  const rows = conversations(200, 42);

  it("comes back from Parquet as it was, the same for one seed", async () => {
    expect((await readParquet(encodeKtoRows(rows))).toArray()).toEqual(rows);
    expect(conversations(200, 42)).toEqual(rows);
    expect(conversations(1, 43)).not.toEqual(rows.slice(0, 1));
  });

  it("has the lengths and labels of a real set, and loses no row to max_length 1024", async () => {
    const dataset = await readParquet(encodeKtoRows(rows));
    const prepared = await prepareKtoDataset(dataset, { tokenizer, perDeviceTrainBatchSize: 4, maxLength: 1024 });
    expect(prepared.rows).toHaveLength(200);
    const { sequence } = prepared.lengths;
    expect(sequence.min).toBeGreaterThan(50);
    expect(sequence.median).toBeGreaterThan(300);
    expect(sequence.median).toBeLessThan(500);
    expect(sequence.max).toBeLessThan(2100);
    expect(prepared.classBalance.desirable).toBeGreaterThan(70);
    expect(prepared.classBalance.undesirable).toBeGreaterThan(70);
  });
});

describe("the checkpoint", () => {
  const folder = mkdtempSync(join(tmpdir(), "kto-tutorial-"));
  const tiny = resized(shapes["1.5b"], {
    vocabSize: 512,
    hiddenSize: 48,
    intermediateSize: 112,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
  });
  const opened: Checkpoint[] = [];
  let fourBit: Checkpoint;
  let plain: Checkpoint;

  beforeAll(async () => {
    for (const [name, isPlain] of [
      ["four-bit", false],
      ["plain", true],
    ] as const) {
      await writeCheckpoint(join(folder, name), tiny, { seed: 1, plain: isPlain });
      opened.push(await openCheckpoint(fileDirectory(join(folder, name))));
    }
    [fourBit, plain] = opened as [Checkpoint, Checkpoint];
  });
  afterAll(async () => {
    for (const checkpoint of opened) await checkpoint.dispose();
    rmSync(folder, { recursive: true });
  });
  const configOf = (name: string): Record<string, unknown> => JSON.parse(readFileSync(join(folder, name, "config.json"), "utf8"));

  it("leaves the declared blocks in 16 bits", () => {
    const dtypeOf = (name: string): string | undefined => fourBit.tensors.get(`model.layers.${name}.weight`)?.dtype;
    expect(["0.self_attn.q_proj", "1.self_attn.q_proj", "0.mlp.up_proj", "1.mlp.up_proj"].map(dtypeOf)).toEqual([
      "BF16",
      "U8",
      "U8",
      "BF16",
    ]);
    expect(plain.tensors.size).toBe(12 * 2 + 3);
    expect(fourBit.tensors.size).toBe(plain.tensors.size + 7 * 5);
    expect([...plain.tensors.values()].map(({ dtype }) => dtype)).toEqual(Array(plain.tensors.size).fill("BF16"));
  });

  it("holds four-bit weights that dequantise to those of the plain one, bit for bit", async () => {
    for (const name of plain.tensors.keys()) {
      const expected = asTypedArray((await plain.read(name)).data, "BF16");
      if (!isNf4Weight(fourBit, name)) {
        expect(asTypedArray((await fourBit.read(name)).data, "BF16"), name).toEqual(expected);
        continue;
      }
      const state = await readQuantState(fourBit, name);
      expect([...state.shape], name).toEqual(plain.tensors.get(name)!.shape);
      const floats = async (part: string): Promise<Float32Array> => asTypedArray((await fourBit.read(`${name}.${part}`)).data, "F32");
      const codes = (await fourBit.read(`${name}.absmax`)).data;
      const absmax = dequantizeScales({ codes, absmax: await floats("nested_absmax"), offset: state.nested!.offset }, state.nested!.codes);
      const packed = (await fourBit.read(name)).data;
      const values = dequantizeWeights({ packed, absmax }, { size: expected.length, dtype: state.dtype });
      expect(values, name).toEqual(Float32Array.from(expected, bfloat16ToNumber));
    }
  });

  it("says so in config.json, with a threshold that transformers takes", () => {
    expect(configOf("plain")).not.toHaveProperty("quantization_config");
    expect(configOf("four-bit")).toMatchObject({ bos_token_id: 151_646, num_hidden_layers: 2, unsloth_fixed: true });
    const { llmInt8SkipModules } = readQuantizationConfig(configOf("four-bit"), "config.json")!;
    expect(llmInt8SkipModules).toEqual(expect.arrayContaining(["lm_head", "model.layers.1.mlp", "model.layers.0.self_attn"]));
    expect(readFileSync(join(folder, "four-bit/config.json"), "utf8")).toContain('"llm_int8_threshold": 6.0,');
  });
});
