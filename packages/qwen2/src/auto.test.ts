import { FormatError } from "@kto/core";
import { expect, test } from "vitest";
import { readModelConfig, readQwen2Config, weightSpecs } from "./index.js";
import { familyOf } from "./decoder/architecture.js";
import { openModel } from "./node.js";

const json = {
  model_type: "qwen2",
  vocab_size: 512,
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  tie_word_embeddings: true,
};

test("model_type picks the reader; another one is refused with the list of those there are", () => {
  expect(readModelConfig(json)).toEqual(readQwen2Config(json));
  expect(() => readModelConfig({ ...json, model_type: "llama" }, "a/config.json")).toThrow(FormatError);
  expect(() => readModelConfig({ ...json, model_type: "llama" }, "a/config.json")).toThrow(
    'config: a/config.json: unsupported architecture; expected model_type "qwen2", got "llama"; Qwen2, Qwen2.5 and DeepSeek-R1-Distill-Qwen checkpoints can be read',
  );
  const families = ["one", "two"].map((modelType) => ({ modelType, checkpoints: modelType.toUpperCase() }));
  expect(() => familyOf({}, "config.json", families)).toThrow(
    'expected model_type "one" or "two", got null; ONE, TWO checkpoints can be read',
  );
});

test("the tensors of a Qwen2 layer, in the order of the forward pass", () => {
  const specs = weightSpecs(readModelConfig(json)).map(({ name, shape, kind }) => `${name} ${shape.join("x")} ${kind}`);
  expect(specs).toEqual([
    "model.embed_tokens.weight 512x64 matrix",
    "model.layers.0.input_layernorm.weight 64 norm",
    "model.layers.0.self_attn.q_proj.weight 64x64 matrix",
    "model.layers.0.self_attn.q_proj.bias 64 bias",
    "model.layers.0.self_attn.k_proj.weight 32x64 matrix",
    "model.layers.0.self_attn.k_proj.bias 32 bias",
    "model.layers.0.self_attn.v_proj.weight 32x64 matrix",
    "model.layers.0.self_attn.v_proj.bias 32 bias",
    "model.layers.0.self_attn.o_proj.weight 64x64 matrix",
    "model.layers.0.post_attention_layernorm.weight 64 norm",
    "model.layers.0.mlp.gate_proj.weight 160x64 matrix",
    "model.layers.0.mlp.up_proj.weight 160x64 matrix",
    "model.layers.0.mlp.down_proj.weight 64x160 matrix",
    "model.norm.weight 64 norm",
  ]);
});

test("the old name of what opens a folder says the new ones", () => {
  expect(() => openModel("./model")).toThrow(
    /openModel: this function is gone; expected fileDirectory\("\.\/model"\) .* or loadModel of @kto\/kit/,
  );
});
