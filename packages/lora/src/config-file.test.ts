import { describe, expect, it } from "vitest";
import { formatAdapterConfig, LoraConfigError, loraConfig, parseAdapterConfig } from "./index.js";

/** peft 0.14's file for the tutorial's adapter, with its list sorted. */
const peft014 = `{
  "alpha_pattern": {},
  "auto_mapping": null,
  "base_model_name_or_path": "unsloth/DeepSeek-R1-Distill-Qwen-1.5B-unsloth-bnb-4bit",
  "bias": "none",
  "eva_config": null,
  "exclude_modules": null,
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "layer_replication": null,
  "layers_pattern": null,
  "layers_to_transform": null,
  "loftq_config": {},
  "lora_alpha": 16,
  "lora_bias": false,
  "lora_dropout": 0.0,
  "megatron_config": null,
  "megatron_core": "megatron.core",
  "modules_to_save": null,
  "peft_type": "LORA",
  "r": 16,
  "rank_pattern": {},
  "revision": null,
  "target_modules": [
    "down_proj",
    "gate_proj",
    "k_proj",
    "o_proj",
    "q_proj",
    "up_proj",
    "v_proj"
  ],
  "task_type": "CAUSAL_LM",
  "use_dora": false,
  "use_rslora": false
}`;

const tutorial = loraConfig({
  r: 16,
  loraAlpha: 16,
  targetModules: ["k_proj", "up_proj", "o_proj", "gate_proj", "v_proj", "down_proj", "q_proj"],
  baseModelNameOrPath: "unsloth/DeepSeek-R1-Distill-Qwen-1.5B-unsloth-bnb-4bit",
});

it("writes peft 0.14's file, byte for byte", () => expect(formatAdapterConfig(tutorial)).toBe(peft014));

it("reads back what it writes", () => {
  const config = loraConfig({
    r: 4,
    loraAlpha: 0.5,
    loraDropout: 0.05,
    useRslora: true,
    targetModules: ["q_proj", "v_proj"],
    excludeModules: ".*lm_head",
    layersToTransform: [0, 3],
    layersPattern: "layers",
    rankPattern: { "layers.1.mlp.up_proj": 5, "a.*": 3 },
    alphaPattern: { q_proj: 9 },
    initLoraWeights: "gaussian",
    baseModelNameOrPath: "modèle/😀",
    revision: "main",
  });
  const text = formatAdapterConfig(config);
  expect(parseAdapterConfig(text)).toEqual(config);
  expect(text).toContain('"lora_dropout": 0.05,');
  expect(text).toContain(String.raw`"mod\u00e8le/\ud83d\ude00"`);
  expect(/^[\n\u0020-\u007e]*$/.test(text)).toBe(true);
});

it("keeps the order of patterns, in which the first match wins", () => {
  const config = loraConfig({ rankPattern: { "v.*": 2, ".*": 4 } });
  expect(Object.keys(parseAdapterConfig(formatAdapterConfig(config)).rankPattern)).toEqual(["v.*", ".*"]);
});

describe("parseAdapterConfig", () => {
  const parse =
    (fields: object): (() => unknown) =>
    () =>
      parseAdapterConfig(JSON.stringify({ peft_type: "LORA", ...fields }));

  it("needs nothing but peft_type", () => expect(parse({})()).toEqual(loraConfig()));

  it("passes over unknown and inert fields, and takes old nulls", () => {
    expect(
      parse({ from_the_future: { x: 1 }, peft_version: "0.21.2", eva_config: { rho: 2 }, fan_in_fan_out: null, use_rslora: null })(),
    ).toEqual(loraConfig());
  });

  it("takes an initialisation that no longer matters", () => expect(parse({ init_lora_weights: "eva" })()).toEqual(loraConfig()));

  it.each([
    [{ use_dora: true }, "use_dora"],
    [{ use_qalora: true }, "use_qalora"],
    [{ use_bdlora: { target: [] } }, "use_bdlora"],
    [{ alora_invocation_tokens: [1] }, "alora_invocation_tokens"],
    [{ arrow_config: { top_k: 1 } }, "arrow_config"],
    [{ layer_replication: [[0, 1]] }, "layer_replication"],
    [{ trainable_token_indices: [1] }, "trainable_token_indices"],
    [{ target_parameters: ["w"] }, "target_parameters"],
    [{ kasa_config: { x: 1 } }, "kasa_config"],
    [{ monteclora_config: { x: 1 } }, "monteclora_config"],
    [{ velora_config: { x: 1 } }, "velora_config"],
    [{ lora_bias: true }, "lora_bias"],
    [{ modules_to_save: { lm_head: true } }, "modules_to_save"],
    [{ fan_in_fan_out: true }, "fan_in_fan_out"],
    [{ bias: "lora_only" }, "bias"],
    [{ init_lora_weights: "pissa_niter_4" }, "init_lora_weights"],
    [{ peft_type: "IA3" }, "peft_type"],
    [{ lora_alpha: "16" }, "lora_alpha"],
    [{ target_modules: { 0: "q_proj" } }, "target_modules"],
  ])("refuses %j, naming %s", (fields, field) => {
    expect(parse(fields)).toThrow(LoraConfigError);
    expect(parse(fields)).toThrow(expect.objectContaining({ field }) as Error);
    expect(parse(fields)).toThrow(field);
  });

  it.each(["", "{", "[]", "null", '"LORA"'])("refuses the text %j", (text) =>
    expect(() => parseAdapterConfig(text)).toThrow(LoraConfigError),
  );
});
