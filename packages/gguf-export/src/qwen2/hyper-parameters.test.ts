import { FormatError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { fixture, readJson } from "../testing/fixture-model.js";
import { hyperParameters } from "./hyper-parameters.js";

const base = readJson(fixture("model", "config.json"))!;

/** The keys of a config with some fields changed, without `qwen2.`. */
function keysOf(change: Record<string, unknown>): Record<string, unknown> {
  const { metadata } = hyperParameters({ ...base, rope_parameters: undefined, ...change });
  return Object.fromEntries(
    metadata.map(([key, { type, value }]) => [key.replace("qwen2.", ""), type === "f32" ? Number(value.toPrecision(7)) : value]),
  );
}

describe("positions", () => {
  it("are not scaled where nothing says so, in either spelling", () => {
    for (const change of [
      {},
      { rope_scaling: null },
      { rope_scaling: { rope_type: "default" } },
      { rope_parameters: { rope_theta: 10_000, rope_type: "default" } },
    ])
      expect(Object.keys(keysOf(change)).filter((key) => key.includes("scaling"))).toEqual([]);
    expect(keysOf({ rope_parameters: { rope_theta: 1e6, rope_type: "default" } })["rope.freq_base"]).toBe(1e6);
    expect(keysOf({ rope_theta: undefined })["rope.freq_base"]).toBe(10_000);
  });

  it("are scaled linearly", () => {
    expect(keysOf({ rope_scaling: { type: "linear", factor: 4 } })).toMatchObject({
      "rope.scaling.type": "linear",
      "rope.scaling.factor": 4,
    });
  });

  it("are scaled by YaRN as the model cards of Qwen2.5 say it", () => {
    const keys = keysOf({ rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 32_768 } });
    expect(Object.fromEntries(Object.entries(keys).filter(([key]) => key.includes("scaling")))).toEqual({
      "rope.scaling.type": "yarn",
      "rope.scaling.factor": 4,
      "rope.scaling.original_context_length": 32_768,
    });
  });

  it("YaRN's factor of attention is what llama.cpp multiplies beside its own 1 + 0.1 ln(factor)", () => {
    const yarn = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 1024 };
    const whole = 1 + 0.1 * Math.log(4);
    const factor = (more: object): unknown => keysOf({ rope_parameters: { ...yarn, ...more } })["rope.scaling.yarn_attn_factor"];
    expect(factor({ attention_factor: whole })).toBeUndefined();
    expect(factor({ attention_factor: 1 })).toBeCloseTo(1 / whole, 6);
    expect(factor({ mscale: 1, mscale_all_dim: 0.5 })).toBeCloseTo(1 / (1 + 0.05 * Math.log(4)), 6);
    expect(keysOf({ rope_parameters: { ...yarn, beta_fast: 16, beta_slow: 2 } })).toMatchObject({
      "rope.scaling.yarn_beta_fast": 16,
      "rope.scaling.yarn_beta_slow": 2,
    });
  });
});

it("heads have a size of their own only where the config gives one", () => {
  expect(keysOf({})).not.toHaveProperty("attention.key_length");
  expect(keysOf({ head_dim: 32 })).toMatchObject({ "attention.key_length": 32, "attention.value_length": 32 });
  expect(keysOf({ num_key_value_heads: undefined })["attention.head_count_kv"]).toBe(4);
});

it("a window that no row outgrows changes nothing", () => {
  for (const change of [
    { sliding_window: 8 },
    { use_sliding_window: true, sliding_window: 4096 },
    { use_sliding_window: true, sliding_window: 8, max_window_layers: 2 },
  ])
    expect(() => keysOf(change)).not.toThrow();
});

it.each<[change: Record<string, unknown>, message: RegExp]>([
  [{ model_type: undefined }, /expected model_type "qwen2", got null/],
  [{ hidden_act: "gelu" }, /hidden_act cannot be said/],
  [{ num_hidden_layers: 0 }, /num_hidden_layers is not usable; expected a whole number from 1, got 0/],
  [{ num_attention_heads: 3 }, /head_dim is not usable|no multiple/],
  [{ rms_norm_eps: -1 }, /rms_norm_eps is not usable/],
  [{ rope_theta: "many" }, /rope_theta is not usable; expected a positive number, got "many"/],
  [
    { rope_scaling: { rope_type: "llama3", factor: 8 } },
    /rope_type "llama3" cannot be said in a GGUF file of Qwen2; expected default, linear or yarn/,
  ],
  [{ rope_scaling: { rope_type: "longrope" } }, /"longrope"/],
  [{ rope_parameters: { rope_type: "dynamic", factor: 2 } }, /"dynamic"/],
  [{ rope_scaling: { factor: 2 } }, /there is no rope_type/],
  [{ rope_scaling: { type: "linear" } }, /factor is not usable for rope_type "linear"; expected a positive number, got null/],
  [{ rope_scaling: { type: "yarn", factor: 2, truncate: false } }, /truncate false/],
  [{ partial_rotary_factor: 0.5 }, /partial_rotary_factor/],
  [
    { use_sliding_window: true, sliding_window: 1024, max_window_layers: 1 },
    /use_sliding_window cannot be said .* at least max_position_embeddings \(4096\), got 1024/,
  ],
])("refuses %j", (change, message) => {
  expect(() => keysOf(change)).toThrow(FormatError);
  expect(() => keysOf(change)).toThrow(message);
});
