import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ktoDefaults } from "@kto/trainer";
import { parse } from "yaml";
import { expect, it } from "vitest";
import { ConfigError } from "../errors.js";
import { parseFlags } from "../flags.js";
import { formatResolvedConfig } from "../resolved-config.js";
import { nearest } from "./nearest.js";
import { overlay, readConfigFile, type GivenFields } from "./read-config.js";
import { trainConfig, trainerArguments } from "./train-config.js";
import { trainFields } from "./train-fields.js";

const flags = (...argv: string[]): GivenFields => parseFlags(argv, trainFields).fields;
const config = (...argv: string[]): ReturnType<typeof trainConfig> =>
  trainConfig(flags("--model_name_or_path", "m", "--train_file", "t", "--use_peft", ...argv));

it("has the trainer's defaults, which are trl's", () => {
  expect(trainerArguments(config().values)).toEqual({ ...ktoDefaults, lossScale: undefined });
});

it("reads the values of flags", () => {
  const { values } = config(
    "--learning_rate",
    "5e-7",
    "--max_steps",
    "-1",
    "--max_length",
    "none",
    "--bf16=false",
    "--gradient_checkpointing",
    "auto",
    "--lr_scheduler_kwargs",
    "{}",
  );
  expect(values).toMatchObject({
    learning_rate: 5e-7,
    max_steps: -1,
    max_length: null,
    bf16: false,
    gradient_checkpointing: "auto",
    lr_scheduler_kwargs: {},
  });
});

it.each([
  [
    ["q_proj", "v_proj"],
    ["q_proj", "v_proj"],
  ],
  [["q_proj v_proj"], ["q_proj", "v_proj"]],
  [['["q_proj", "v_proj"]'], ["q_proj", "v_proj"]],
  [["q_proj"], ["q_proj"]],
  [["all-linear"], "all-linear"],
  [[".*\\.(q|v)_proj"], ".*\\.(q|v)_proj"],
])("reads the list %j", (words, expected) => {
  expect(config("--lora_target_modules", ...words, "--seed", "1").values).toMatchObject({ lora_target_modules: expected, seed: 1 });
});

it("takes booleans alone, with a word, and before a config", () => {
  expect(parseFlags(["--use_peft", "kto.yaml", "--precompute-ref-log-probs", "true", "--fp16", "--json"], trainFields)).toMatchObject({
    operands: ["kto.yaml"],
    common: { json: true },
  });
  expect(config("--resume_from_checkpoint").values.resume_from_checkpoint).toBe(true);
  expect(config("--resume_from_checkpoint", "checkpoint-5").values.resume_from_checkpoint).toBe("checkpoint-5");
});

it("takes the tutorial's config as it is, with flags over the file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kto-config-"));
  try {
    const path = join(folder, "kto.yaml");
    writeFileSync(
      path,
      "model_name_or_path: m\ntrain_file: t\nuse_peft: true\nload_in_4bit: true\noptim: adamw_8bit\nwarmup_ratio: 0.1\nlearning_rate: 5.0e-7\nreport_to: none\nlogging_dir: logs\n",
    );
    const { values, notes } = trainConfig(await readConfigFile(path));
    expect(values).toMatchObject({ warmup_steps: 0.1, warmup_ratio: null, learning_rate: 5e-7, optim: "adamw_8bit", load_in_4bit: true });
    expect(notes).toEqual(["logging_dir has no effect here"]);
    const over = trainConfig(overlay(await readConfigFile(path), flags("--load_in_4bit", "false", "--optim", "adamw_torch_fused"))).values;
    expect(over).toMatchObject({ optim: "adamw_torch", load_in_4bit: false });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("8-bit optimizers have one name, with a note where it was another", () => {
  expect(config("--optim", "paged_adamw_8bit")).toMatchObject({
    values: { optim: "adamw_8bit" },
    notes: [expect.stringMatching(/^paged_adamw_8bit runs as adamw_8bit/)],
  });
  expect(() => config("--load_in_4bit", "--bnb_4bit_quant_type", "fp4")).toThrow(/bnb_4bit_quant_type: fp4 is not offered; expected nf4/);
});

it.each([
  ["4GiB", 4 * 2 ** 30],
  ["3500MB", 3.5e9],
  ["1.5 gi", 1.5 * 2 ** 30],
  ["123456789", 123_456_789],
  ["1.5e9", 1.5e9],
  ['{"0": "2GiB"}', 2 ** 31],
  ['{"0": "2GiB", "cpu": "30GiB"}', 2 ** 31],
  ["none", null],
])("max_memory %s is %s bytes", (word, bytes) => {
  expect(config("--max_memory", word).values.max_memory).toBe(bytes);
});

it.each(["many", "-1", "4 parsecs", '{"0": "2GiB", "1": "2GiB"}', '{"cpu": "2GiB"}', "[4]", "0"])("max_memory %s is refused", (word) => {
  expect(() => config("--max_memory", word)).toThrow(
    /max_memory: not usable; expected a size such as "4GiB" or "3500MB", a number of bytes, a map such as \{"0": "4GiB"\}, or null/,
  );
});

it("a resolved config gives the same values again", () => {
  const { values } = config("--lora_target_modules", "q_proj", "--warmup_ratio", "0.1", "--beta", "0.3", "--max_length", "none");
  const text = formatResolvedConfig(values, "float32");
  const again = trainConfig({ values: new Map(Object.entries(parse(text) as object)), places: new Map() }).values;
  expect(formatResolvedConfig(again, "float32")).toBe(text);
  expect(trainerArguments(again)).toEqual(trainerArguments(values));
});

it("foreign fields pass where they ask for nothing", () => {
  expect(() =>
    config("--deepspeed", "null", "--torch_compile", "false", "--model_revision", "main", "--truncation_mode", "keep_start"),
  ).not.toThrow();
  expect(() => config("--torch_compile", "true")).toThrow(ConfigError);
});

it.each([
  ["learnig_rate", "learning_rate"],
  ["LORA_R", "lora_r"],
  ["per_device_batch_size", "per_device_eval_batch_size"],
  ["zzzzzzzz", undefined],
])("the nearest name of %s is %s", (word, expected) => {
  expect(nearest(word, Object.keys(trainFields))).toBe(expected);
});
