import { readFileSync } from "node:fs";
import { FormatError } from "@kto/core";
import { fixturePath } from "@kto/testing/workspace";
import { describe, expect, test } from "vitest";
import { weightSpecs } from "./auto.js";
import { readQwen2Config, writeQwen2Config } from "./config.js";
import { unpad } from "./decoder/token-batch.js";

const fixture = (path: string): unknown => JSON.parse(readFileSync(fixturePath(path), "utf8"));
const { rope_theta: _theta, ...modelJson } = fixture("model/config.json") as Record<string, unknown>;
const { refused: refusedRope } = fixture("rope/cases.json") as { refused: { name: string; config: object }[] };

const distill = {
  model_type: "qwen2",
  vocab_size: 151_936,
  hidden_size: 1536,
  intermediate_size: 8960,
  num_hidden_layers: 28,
  num_attention_heads: 12,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  tie_word_embeddings: false,
  use_sliding_window: false,
  sliding_window: 4096,
  max_position_embeddings: 131_072,
  eos_token_id: 151_643,
};
const numParameters = (json: object): number =>
  weightSpecs(readQwen2Config(json)).reduce((total, { shape }) => total + shape.reduce((product, size) => product * size, 1), 0);

describe("readQwen2Config", () => {
  test("counts the parameters and tensors of the published models", () => {
    expect(numParameters(distill)).toBe(1_777_088_000);
    expect(weightSpecs(readQwen2Config(distill))).toHaveLength(339);
    expect(numParameters({ ...distill, tie_word_embeddings: true })).toBe(1_543_714_304);
    const half = {
      ...distill,
      hidden_size: 896,
      intermediate_size: 4864,
      num_hidden_layers: 24,
      num_attention_heads: 14,
      tie_word_embeddings: true,
    };
    expect(numParameters(half)).toBe(494_032_768);
    expect(readQwen2Config(half).headDim).toBe(64);
  });

  test("reads both spellings of the rope fields, and the defaults of missing ones", () => {
    expect(
      readQwen2Config({ ...distill, rope_theta: undefined, rope_parameters: { rope_type: "default", rope_theta: 1e6 } }).ropeTheta,
    ).toBe(1e6);
    expect(readQwen2Config({ ...distill, rope_scaling: null }).ropeTheta).toBe(10_000);
    const { num_key_value_heads: _heads, rope_theta: _theta, rms_norm_eps: _eps, tie_word_embeddings: _tied, ...bare } = distill;
    expect(readQwen2Config(bare)).toMatchObject({ numKeyValueHeads: 12, ropeTheta: 10_000, rmsNormEps: 1e-6, tieWordEmbeddings: false });
  });

  test("what is written is read back", () => {
    const config = readQwen2Config(distill);
    expect(readQwen2Config(writeQwen2Config(config))).toEqual(config);
  });

  test.each([
    ["another architecture", { model_type: "llama" }, /unsupported architecture; expected model_type "qwen2", got "llama"/],
    ["a scaling that is not named", { rope_scaling: { factor: 4 } }, /rope_scaling is set but has no rope_type/],
    ["a scaling that is no object", { rope_scaling: "yarn" }, /rope_scaling is no object; expected one or null, got "yarn"/],
    ["frequencies that are no numbers", { rope_theta: 1, rope_scaling: { type: "yarn", factor: 4 } }, /frequencies that are no numbers/],
    ["a list of layers of another length", { layer_types: ["full_attention"] }, /layer_types is not usable; expected a list of 28/],
    ["a kind of layer", { layer_types: Array(28).fill("chunked_attention") }, /layer_types has a layer of a kind that Qwen2 has not/],
    ["a sliding layer without a window", { layer_types: Array(28).fill("sliding_attention") }, /there is no window/],
    ["a window that is none", { use_sliding_window: true, sliding_window: 0, max_window_layers: 2 }, /sliding_window is not usable/],
    ["a word for a boolean", { tie_word_embeddings: "yes" }, /tie_word_embeddings is not usable; expected true or false, got "yes"/],
    ["layers of several kinds", { per_layer_config: { 0: { head_dim: 64 } } }, /per_layer_config makes layers of several kinds/],
    ["another activation", { hidden_act: "gelu" }, /hidden_act is not supported/],
    ["heads that do not divide", { num_key_value_heads: 5 }, /12 is no multiple of num_key_value_heads 5/],
    ["a size that is no number", { hidden_size: "big" }, /hidden_size is not usable; expected an integer from 1 to 65536, got "big"/],
    ["an absurd size", { vocab_size: 1e12 }, /vocab_size is not usable/],
    ["a width that the heads do not divide", { hidden_size: 1537 }, /head_dim is not usable/],
  ])("refuses %s", (_what, fields, message) => {
    expect(() => readQwen2Config({ ...distill, ...fields })).toThrow(message);
    expect(() => readQwen2Config({ ...distill, ...fields })).toThrow(FormatError);
  });

  test.each([
    ["no window in use", { use_sliding_window: false, sliding_window: 32768, max_window_layers: 0 }],
    ["a window of null", { use_sliding_window: true, sliding_window: null, max_window_layers: 0 }],
    ["a window from a layer on that there is not", { use_sliding_window: true, sliding_window: 4096, max_window_layers: 28 }],
    ["a window from a layer on that there is not, by default", { use_sliding_window: true }],
    ["layers that are all full", { use_sliding_window: true, sliding_window: 64, layer_types: Array(28).fill("full_attention") }],
    ["rope_scaling of nothing", { rope_scaling: {} }],
    ["rope_scaling null beside rope_parameters", { rope_scaling: null, rope_parameters: { rope_type: "default" } }],
    ["dropout, which is off here", { attention_dropout: 0, hidden_dropout: null }],
    ["what newer versions write", { layer_types: null, per_layer_config: null, some_later_field: { a: [1] }, pad_token_id: null }],
  ])("reads past what applies to nothing: %s", (_what, fields) =>
    expect(readQwen2Config({ ...distill, ...fields })).toEqual(readQwen2Config(distill)),
  );

  test.each(refusedRope.map(({ name, config }) => [name, config] as const))("refuses what transformers cannot run: %s", (_name, config) =>
    expect(() => readQwen2Config({ ...modelJson, ...config })).toThrow(FormatError),
  );

  test("reads four bits of bitsandbytes and refuses other kinds of quantisation", () => {
    const bitsandbytes = { quant_method: "bitsandbytes", load_in_4bit: true, bnb_4bit_quant_type: "nf4" };
    expect(readQwen2Config({ ...distill, quantization_config: bitsandbytes }).hiddenSize).toBe(1536);
    expect(() => readQwen2Config({ ...distill, quantization_config: { quant_method: "gptq" } })).toThrow(
      /quant_method is not supported; expected "bitsandbytes", got "gptq"/,
    );
  });

  test.each([null, [], "qwen2", 3])("refuses %j for a config", (json) => expect(() => readQwen2Config(json)).toThrow(/not a JSON object/));
});

describe("unpad", () => {
  test("takes tokens out of either padding, and of holes", () => {
    const { rows, paddedIndices } = unpad(
      [
        [0, 0, 7, 8],
        [5, 6, 7, 0],
        [1, 0, 2, 0],
      ],
      [
        [0, 0, 1, 1],
        [1, 1, 1, 0],
        [1, 0, 1, 0],
      ],
    );
    expect(rows.map((row) => [...row])).toEqual([
      [7, 8],
      [5, 6, 7],
      [1, 2],
    ]);
    expect([...paddedIndices]).toEqual([2, 3, 4, 5, 6, 8, 10]);
  });

  test("refuses a mask of another length", () => expect(() => unpad([[1, 2]], [[1]])).toThrow(/row 0 has 2 ids and 1 mask entries/));
});
