import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bytesSource, FormatError } from "@kto/core";
import { openSafetensors } from "@kto/safetensors";
import { expect, it } from "vitest";
import { compareTensorNames } from "../container/tensor-order.js";
import { tensorsOf } from "../testing/golden-models.js";
import { ggufTensorName } from "./tensor-names.js";

const fixture = (path: string): Uint8Array => readFileSync(fileURLToPath(new URL(`../../../testing/fixtures/${path}`, import.meta.url)));

it("maps every tensor of a checkpoint to the one of the same shape", async () => {
  const { tensors } = await openSafetensors(bytesSource(fixture("model/model.safetensors")));
  const mapped = [...tensors.values()].map(({ name, shape }) => ({ name: ggufTensorName(name)!, shape }));
  const sizes = { vocabSize: 512, hiddenSize: 64, intermediateSize: 160, isTied: false };
  const expected = tensorsOf({ ...sizes, numHiddenLayers: 2, numAttentionHeads: 4, numKeyValueHeads: 2 });
  const byName = (a: { name: string }, b: { name: string }): number => compareTensorNames(a.name, b.name);
  expect(mapped.sort(byName)).toEqual(expected.sort(byName));
});

it.each([
  ["model.embed_tokens.weight", "token_embd.weight"],
  ["embed_tokens.weight", "token_embd.weight"],
  ["model.norm.weight", "output_norm.weight"],
  ["lm_head.weight", "output.weight"],
  ["layers.27.self_attn.o_proj.weight", "blk.27.attn_output.weight"],
  ["base_model.model.model.layers.3.self_attn.q_proj.base_layer.weight", "blk.3.attn_q.weight"],
  ["base_model.model.model.layers.3.self_attn.q_proj.base_layer.bias", "blk.3.attn_q.bias"],
  ["model.layers.0.self_attn.rotary_emb.inv_freq", undefined],
  ["model.layers.0.attention.masked_bias", undefined],
])("%s is %s", (name, expected) => {
  expect(ggufTensorName(name)).toBe(expected);
});

it.each([
  ["model.layers.0.self_attn.q_proj.weight.absmax", /bitsandbytes; expected 16 or 32 bits/],
  ["model.layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4", /bitsandbytes/],
  ["model.layers.0.mlp.up_proj.SCB", /bitsandbytes/],
  ["model.layers.0.self_attn.q_norm.weight", /is none of a Qwen2 model/],
  ["base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight", /merge adapters first/],
  ["model.layers.00.mlp.up_proj.weight", /is none of a Qwen2 model/],
  ["model.lm_head.weight", /is none of a Qwen2 model/],
  ["model.layers.1.toString", /is none of a Qwen2 model/],
  ["toString", /is none of a Qwen2 model/],
])("refuses %s", (name, message) => {
  expect(() => ggufTensorName(name)).toThrow(FormatError);
  expect(() => ggufTensorName(name)).toThrow(message);
});
