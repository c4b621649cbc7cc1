import { readFileSync } from "node:fs";
import { fixturePath, listFixtures, readFixtureJson } from "@kto/testing/workspace";
import { describe, expect, it } from "vitest";
import {
  defaultSkipModules,
  expectBitsandbytes,
  formatModelConfig,
  isSkipped,
  readQuantizationConfig,
  writeQuantizationConfig,
} from "./index.js";

describe("readQuantizationConfig", () => {
  it.each(listFixtures("nf4").filter((name) => name.startsWith("model-")))("%s/config.json, and back", (folder) => {
    const json = readFixtureJson<{ quantization_config: object }>("nf4", folder, "config.json");
    const config = readQuantizationConfig(json, "config.json")!;
    expect(config).toMatchObject({
      loadIn4bit: true,
      bnb4bitQuantType: "nf4",
      bnb4bitComputeDtype: "bfloat16",
      bnb4bitUseDoubleQuant: true,
    });
    expect(config.llmInt8SkipModules).toContain("lm_head");
    expect(readQuantizationConfig(json.quantization_config, "config.json")).toEqual(config);
    expect(JSON.stringify(writeQuantizationConfig(config))).toBe(JSON.stringify(json.quantization_config));
  });

  it.each(listFixtures("nf4").filter((name) => name.startsWith("model-")))(
    "the text of %s/config.json, numbers spelt as there",
    (folder) => {
      const text = readFileSync(fixturePath("nf4", folder, "config.json"), "utf8");
      const { quantization_config: declared, ...fields } = JSON.parse(text) as Record<string, unknown>;
      const written = formatModelConfig(fields, readQuantizationConfig(declared, "config.json")!);
      expect(JSON.parse(written)).toEqual(JSON.parse(text));
      const block = (json: string): string => /"quantization_config": \{[^}]*\}/.exec(json)![0].replaceAll(/^ +/gm, "");
      expect(block(written)).toBe(block(text));
      expect(written).toContain('    "llm_int8_threshold": 6.0,\n');
      expect(Object.keys(JSON.parse(written) as object)).toEqual(Object.keys(JSON.parse(text) as object).sort());
    },
  );

  it("is undefined where the model is not quantised", () => {
    for (const json of [{}, { model_type: "qwen2" }, { quantization_config: null }, null, 3])
      expect(readQuantizationConfig(json, "config.json")).toBeUndefined();
  });

  it("takes what older files leave out from bitsandbytes' defaults", () => {
    expect(readQuantizationConfig({ quantization_config: { _load_in_4bit: true, bnb_4bit_quant_type: "nf4" } }, "c")).toEqual({
      loadIn4bit: true,
      bnb4bitQuantType: "nf4",
      bnb4bitComputeDtype: "float32",
      bnb4bitUseDoubleQuant: false,
      bnb4bitQuantStorage: "uint8",
      llmInt8SkipModules: null,
    });
    expect(
      readQuantizationConfig(
        {
          load_in_4bit: true,
          bnb_4bit_quant_type: "nf4",
          bnb_4bit_compute_dtype: "torch.float16",
          bnb_4bit_quant_storage: "torch.bfloat16",
        },
        "c",
      ),
    ).toMatchObject({ bnb4bitComputeDtype: "float16", bnb4bitQuantStorage: "bfloat16" });
  });

  it.each([
    [{ quant_method: "gptq", bits: 4 }, "quant_method", 'expected "bitsandbytes", got "gptq"; take the model\'s 16-bit repository'],
    [{ quant_method: "awq" }, "quant_method", 'expected "bitsandbytes", got "awq"'],
    [{ quant_method: "bitsandbytes", load_in_8bit: true }, "load_in_8bit", "expected false, got true"],
    [{ quant_method: "bitsandbytes" }, "load_in_4bit", "expected true, got nothing"],
    [{ load_in_4bit: true }, "bnb_4bit_quant_type", 'expected "nf4", got nothing; where the field is missing, bitsandbytes means "fp4"'],
    [{ load_in_4bit: true, bnb_4bit_quant_type: "fp4" }, "bnb_4bit_quant_type", 'expected "nf4", got "fp4"'],
    [{ load_in_4bit: "yes" }, "load_in_4bit", 'expected true or false, got "yes"'],
    [{ load_in_4bit: true, bnb_4bit_quant_type: "nf4", bnb_4bit_compute_dtype: "int8" }, "bnb_4bit_compute_dtype", 'got "int8"'],
    [
      { load_in_4bit: true, bnb_4bit_quant_type: "nf4", llm_int8_skip_modules: "lm_head" },
      "llm_int8_skip_modules",
      "expected a list of module names or null",
    ],
    [
      { load_in_4bit: true, bnb_4bit_quant_type: "nf4", bnb_4bit_quant_storage: 8 },
      "bnb_4bit_quant_storage",
      "expected the name of a dtype",
    ],
  ])("refuses %j", (quantizationConfig, field, message) => {
    const read = (): unknown => readQuantizationConfig({ quantization_config: quantizationConfig }, "model/config.json");
    expect(read).toThrow(message);
    expect(read).toThrow(expect.objectContaining({ code: "QUANTIZATION_CONFIG", field }) as Error);
    expect(read).toThrow(/^quantization_config: model\/config\.json: /);
  });
});

it("expectBitsandbytes looks at the method only", () => {
  for (const json of [{}, null, { quantization_config: null }, { quantization_config: { load_in_8bit: true } }])
    expect(() => expectBitsandbytes(json, "config.json")).not.toThrow();
  expect(() => expectBitsandbytes({ quantization_config: { quant_method: "fp8" } }, "config.json")).toThrow(
    'quantization_config: config.json: quant_method is not supported; expected "bitsandbytes", got "fp8"; take the model\'s 16-bit repository',
  );
});

describe("isSkipped", () => {
  it.each([
    ["lm_head", ["lm_head"], true],
    ["model.lm_head", ["lm_head"], true],
    ["model.layers.1.mlp.gate_proj", ["model.layers.1.mlp"], true],
    ["model.layers.1.mlp", ["model.layers.1.mlp"], true],
    ["model.layers.11.mlp.gate_proj", ["model.layers.1.mlp"], false],
    ["model.layers.11.mlp.up_proj", ["layers.1"], false],
    ["model.layers.1.mlp.up_proj", ["layers.1"], true],
    ["model.layers.0.mlp.gate_proj", ["mlp.gate"], false],
    ["model.layers.0.mlp.gate", ["mlp.gate"], true],
    ["model.layers.3.self_attn.q_proj", ["self_attn", "x"], true],
    ["model.layers.3.self_attn.q_proj", ["attn"], false],
    ["model.layers.3.self_attn.q_proj", [], false],
    ["model.layers.3.self_attn.q_proj", [""], false],
    ["lm_head", [], false],
    ["lm_head", null, true],
    ["model.layers.3.self_attn.q_proj", null, false],
  ])("%s with %j: %s", (path, skipModules, expected) => {
    expect(isSkipped(path, skipModules)).toBe(expected);
  });

  it("Unsloth's list leaves only lm_head of a Qwen2 in 16 bits", () => {
    const paths = ["q_proj", "k_proj", "v_proj", "o_proj"].map((name) => `model.layers.0.self_attn.${name}`);
    paths.push(...["gate_proj", "up_proj", "down_proj"].map((name) => `model.layers.0.mlp.${name}`), "lm_head");
    expect(paths.filter((path) => isSkipped(path, defaultSkipModules))).toEqual(["lm_head"]);
  });
});
