import { FormatError } from "@kto/core";
import { describe, expect, test } from "vitest";
import { weightSpecs } from "./auto.js";
import { readQwen2Config, writeQwen2Config } from "./config.js";
import { unpad } from "./decoder/token-batch.js";

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
    ["scaled positions, old spelling", { rope_scaling: { type: "yarn", factor: 4 } }, /rope_scaling asks for scaled positions.*got "yarn"/],
    ["scaled positions, new spelling", { rope_parameters: { rope_type: "yarn" } }, /rope_parameters asks for scaled positions/],
    ["sliding windows", { use_sliding_window: true }, /use_sliding_window is true/],
    [
      "a layer with a sliding window",
      { layer_types: ["full_attention", "sliding_attention"] },
      /layers without full attention.*"sliding_attention"/,
    ],
    ["another activation", { hidden_act: "gelu" }, /hidden_act is not supported/],
    ["heads that do not divide", { num_key_value_heads: 5 }, /12 is no multiple of num_key_value_heads 5/],
    ["a size that is no number", { hidden_size: "big" }, /hidden_size is not usable; expected an integer from 1 to 65536, got "big"/],
    ["an absurd size", { vocab_size: 1e12 }, /vocab_size is not usable/],
    ["a width that the heads do not divide", { hidden_size: 1537 }, /head_dim is not usable/],
  ])("refuses %s", (_what, fields, message) => {
    expect(() => readQwen2Config({ ...distill, ...fields })).toThrow(message);
    expect(() => readQwen2Config({ ...distill, ...fields })).toThrow(FormatError);
  });

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
