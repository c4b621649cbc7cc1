import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nearestName } from "@kto/core";
import { diskNames, type GivenFields } from "@kto/core/config";
import { ktoDefaults } from "@kto/trainer";
import { load } from "js-yaml";
import { expect, it } from "vitest";
import { ConfigError } from "../errors.js";
import { parseFlags } from "../flags.js";
import { methodNamed } from "../methods/index.js";
import { formatResolvedConfig } from "../resolved-config.js";
import { otherFields } from "./other-fields.js";
import { readConfigFile } from "./read-config.js";
import { flagsOver, trainConfig, trainerArguments } from "./train-config.js";
import { fieldsOf, anyFields, trainFields } from "./train-fields.js";

const flags = (...argv: string[]): GivenFields => parseFlags(argv, trainFields).fields;
const config = (...argv: string[]): ReturnType<typeof trainConfig> =>
  trainConfig(flags("--model_name_or_path", "m", "--train_file", "t", "--use_peft", ...argv));

it("has the trainer's defaults, which are trl's", () => {
  expect(trainerArguments(config())).toEqual({ ...ktoDefaults, lossScale: undefined });
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
    learningRate: 5e-7,
    maxSteps: -1,
    maxLength: null,
    bf16: false,
    gradientCheckpointing: "auto",
    lrSchedulerKwargs: {},
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
  expect(config("--lora_target_modules", ...words, "--seed", "1").values).toMatchObject({ loraTargetModules: expected, seed: 1 });
});

it("takes booleans alone, with a word, and before a config", () => {
  expect(parseFlags(["--use_peft", "kto.yaml", "--precompute-ref-log-probs", "true", "--fp16", "--json"], trainFields)).toMatchObject({
    operands: ["kto.yaml"],
    common: { json: true },
  });
  expect(config("--resume_from_checkpoint").values.resumeFromCheckpoint).toBe(true);
  expect(config("--resume_from_checkpoint", "checkpoint-5").values.resumeFromCheckpoint).toBe("checkpoint-5");
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
    expect(values).toMatchObject({ warmupSteps: 0.1, warmupRatio: null, learningRate: 5e-7, optim: "adamw_8bit", loadIn4bit: true });
    expect(notes).toEqual(["logging_dir: no effect without report_to: tensorboard"]);
    const over = trainConfig(
      flagsOver(await readConfigFile(path), flags("--load_in_4bit", "false", "--optim", "adamw_torch_fused")),
    ).values;
    expect(over).toMatchObject({ optim: "adamw_torch", loadIn4bit: false });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it.each([
  ["paged_adamw_8bit", "adamw_8bit", /^paged_adamw_8bit runs as adamw_8bit: WebGPU has no memory/],
  ["paged_adamw_32bit", "adamw_32bit", /^paged_adamw_32bit runs as adamw_32bit: WebGPU has no memory/],
  ["OptimizerNames.PAGED_ADAMW", "adamw_32bit", /^paged_adamw runs as adamw_32bit/],
  ["adamw_torch_xla", "adamw_torch", /^adamw_torch_xla runs as adamw: it is the same arithmetic/],
  ["adamw_hf", "adamw_torch", /^adamw_hf runs as adamw: /],
  ["adamw_torch_8bit", "adamw_8bit", /^adamw_torch_8bit runs as adamw_8bit: .* not as torchao/],
  ["adamw_bnb_8bit", "adamw_8bit", undefined],
  ["ADAMW_TORCH", "adamw_torch", undefined],
])("optim: %s is %s", (name, optim, note) => {
  const { values, notes } = config("--optim", name);
  expect(values.optim).toBe(optim);
  expect(notes).toEqual(note === undefined ? [] : [expect.stringMatching(note)]);
});

it.each<[field: string, spellings: unknown[], value: unknown]>([
  ["lr_scheduler_type", ["cosine", "COSINE", "SchedulerType.COSINE", "transformers.SchedulerType.COSINE", " Cosine "], "cosine"],
  ["lr_scheduler_type", ["SchedulerType.COSINE_WITH_RESTARTS"], "cosine_with_restarts"],
  ["eval_strategy", ["no", "NO", "IntervalStrategy.NO", false], "no"],
  ["evaluation_strategy", ["no", "No"], "no"],
  ["save_strategy", ["epoch", "Epoch", "SaveStrategy.EPOCH"], "epoch"],
  ["logging_strategy", ["steps", "IntervalStrategy.STEPS"], "steps"],
  ["dtype", ["bfloat16", "torch.bfloat16"], "bfloat16"],
  ["torch_dtype", ["torch.float32"], "float32"],
  ["optim", ["OptimizerNames.ADAMW_TORCH", "adamw_torch"], "adamw_torch"],
  ["lr_scheduler_kwargs", [{ num_cycles: 2 }, '{"num_cycles": 2}'], { num_cycles: 2 }],
  ["report_to", [["none"]], ["none"]],
  ["report_to", ["tensorboard", ["tensorboard"]], ["tensorboard"]],
  ["gradient_checkpointing", [null, "auto"], "auto"],
  ["activation_checkpointing", [true, "True", "yes"], true],
])("%s as people write it: %j", (field, spellings, value) => {
  const name = { evaluation_strategy: "evalStrategy", torch_dtype: "dtype", activation_checkpointing: "gradientCheckpointing" }[field];
  const more = field === "lr_scheduler_kwargs" ? { lr_scheduler_type: "cosine" } : {};
  for (const spelling of spellings) {
    const { values } = trainConfig(given({ model: "m", data: "t", use_peft: true, ...more, [field]: spelling }));
    expect(values[(name ?? field.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())) as keyof typeof values]).toEqual(value);
  }
});

it("names arguments of a schedule as the file does", () => {
  expect(() => config("--lr_scheduler_type", "cosine_with_min_lr")).toThrow(/takes one of min_lr and min_lr_rate; got neither/);
  expect(() => config("--lr_scheduler_type", "warmup_stable_decay")).toThrow(/expected num_decay_steps, the updates of its fall, got none/);
  expect(() => config("--lr_scheduler_type", "linear", "--lr_scheduler_kwargs", '{"num_decay_steps": 2}')).toThrow(
    /linear takes no argument "num_decay_steps"; expected none/,
  );
});

it.each(["reduce_lr_on_plateau", "greedy", "SchedulerType.REDUCE_ON_PLATEAU"])("%s needs an evaluation to follow", (name) => {
  expect(() => config("--lr_scheduler_type", name)).toThrow(
    /--lr_scheduler_type: (reduce_lr_on_plateau|greedy) follows a metric of the evaluation, and there is none; expected an eval_strategy, got "no"; set eval_strategy/,
  );
  const checked = config(
    "--lr_scheduler_type",
    name,
    "--eval_strategy",
    "epoch",
    "--eval_file",
    "e",
    "--metric_for_best_model",
    "rewards/margins",
  );
  expect(trainerArguments(checked)).toMatchObject({ evalStrategy: "epoch", metricForBestModel: "rewards/margins" });
});

/** trl 1.16's classes: all fields of KTOConfig, of the other methods' configs those that are their own. */
const trlClasses = JSON.parse(readFileSync(new URL("./trl-fields.json", import.meta.url), "utf8")) as Record<
  string,
  Record<string, unknown>
>;

it.each<[method: string, classes: Record<string, number>]>([
  ["kto", { KTOConfig: 131, ModelConfig: 19, ScriptArguments: 6, DatasetMixtureConfig: 3 }],
  ["dpo", { DPOConfig: 26, ModelConfig: 19 }],
  ["sft", { SFTConfig: 22, ModelConfig: 19 }],
  ["orpo", { ORPOConfig: 11 }],
  ["cpo", { CPOConfig: 15 }],
])("every field of trl 1.16 is known to %s, and its default asks for nothing: %j", (method, classes) => {
  const known = diskNames(fieldsOf(methodNamed(method)));
  for (const [name, count] of Object.entries(classes)) {
    expect(Object.keys(trlClasses[name]!), name).toHaveLength(count);
    for (const [field, initial] of Object.entries(trlClasses[name]!)) {
      expect(known.has(field) || field in otherFields, field).toBe(true);
      const isNeeded = ["model_name_or_path", "dataset_name", "use_peft", "output_dir"].includes(field);
      if (isNeeded && !initial) continue; // what has to be given has no default
      if (field === "model_revision" && initial === null) continue;
      const run = (): unknown =>
        trainConfig(given({ method, model: "m", data: "t", ...(field === "use_peft" ? {} : { use_peft: true }), [field]: initial }));
      expect(run, `${field}: ${JSON.stringify(initial)}`).not.toThrow();
    }
  }
});

it("4-bit formats that are not offered are refused", () => {
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
  expect(config("--max_memory", word).values.maxMemory).toBe(bytes);
});

it.each(["many", "-1", "4 parsecs", '{"0": "2GiB", "1": "2GiB"}', '{"cpu": "2GiB"}', "[4]", "0"])("max_memory %s is refused", (word) => {
  expect(() => config("--max_memory", word)).toThrow(
    /max_memory: not usable; expected a size such as "4GiB" or "3500MB", a number of bytes, a map such as \{"0": "4GiB"\}, or null/,
  );
});

it("a resolved config gives the same values again", () => {
  const first = config("--lora_target_modules", "q_proj", "--warmup_ratio", "0.1", "--beta", "0.3", "--max_length", "none");
  const text = formatResolvedConfig(first.values, "float32");
  const again = trainConfig({ values: new Map(Object.entries(load(text) as object)), places: new Map() });
  expect(formatResolvedConfig(again.values, "float32")).toBe(text);
  expect(trainerArguments(again)).toEqual(trainerArguments(first));
});

it("foreign fields pass where they ask for nothing", () => {
  expect(() =>
    config("--deepspeed", "null", "--torch_compile", "false", "--model_revision", "main", "--truncation_mode", "keep_start"),
  ).not.toThrow();
  expect(() => config("--group_by_length", "true")).toThrow(ConfigError);
});

it.each([
  ["learnig_rate", "learning_rate"],
  ["LORA_R", "lora_r"],
  ["per_device_batch_size", "per_device_eval_batch_size"],
  ["zzzzzzzz", undefined],
])("the nearest name of %s is %s", (word, expected) => {
  expect(nearestName(word, diskNames(trainFields).keys(), 2)).toBe(expected);
});

it("what changes no number is a note", () => {
  const { notes } = config("--report_to", "tensorboard", "--torch_compile", "true", "--run_name", "first", "--use_liger_kernel");
  expect(notes).toEqual([
    "torch_compile has no effect here: there is no torch",
    "run_name has no effect here",
    "use_liger_kernel has no effect here",
  ]);
  expect(config("--report_to", "none").notes).toEqual([]);
});

it("has one spelling everywhere: the other commands' names, and either once", () => {
  const short = trainConfig(flags("--model", "m", "--data", "rows.jsonl", "--adapter", "a", "--template", "t", "--split", "s")).values;
  expect(short).toMatchObject({
    modelNameOrPath: "m",
    trainFile: "rows.jsonl",
    adapterNameOrPath: "a",
    chatTemplate: "t",
    datasetTrainSplit: "s",
  });
  expect(trainConfig(flags("--model", "m", "--data", "owner/name", "--use_peft")).values).toMatchObject({
    trainFile: null,
    datasetName: "owner/name",
  });
  expect(() => config("--model", "n")).toThrow(
    'model: it means the same as --model_name_or_path, which is given too; expected one of the two, got "m" and "n"; remove one',
  );
  expect(() => config("--model", "m")).not.toThrow();
});

it("a flag replaces what a file says under another name", () => {
  const file = given({ model_name_or_path: "m", dataset_name: "owner/rows", use_peft: "Yes" });
  expect(trainConfig(flagsOver(file, flags("--model", "n", "--data", "rows.jsonl"))).values).toMatchObject({
    modelNameOrPath: "n",
    trainFile: "rows.jsonl",
    datasetName: null,
    usePeft: true,
  });
});

it("~ is the home folder, in a file and after =", () => {
  const file = given({ model_name_or_path: "~/models/m", output_dir: "~", train_file: "~user/rows", use_peft: "on" });
  const { values } = trainConfig(flagsOver(file, flags("--eval_file=~/eval.jsonl")), { HOME: "/home/me" });
  expect(values).toMatchObject({
    modelNameOrPath: "/home/me/models/m",
    outputDir: "/home/me",
    trainFile: "~user/rows",
    evalFile: "/home/me/eval.jsonl",
  });
});

function given(fields: Record<string, unknown>): GivenFields {
  return { values: new Map(Object.entries(fields)), places: new Map() };
}

it("takes what no loss reads as trl does, without effect, and says so", () => {
  const run = (...argv: string[]): ReturnType<typeof trainConfig> =>
    trainConfig(parseFlags(["--model", "m", "--data", "t", "--use_peft", ...argv], anyFields).fields);
  const dpo = run("--method", "dpo", "--label_smoothing", "0.1", "--loss_type", "apo_zero", "--f_divergence_type", "forward_kl");
  expect(trainerArguments(dpo)).toMatchObject({ labelSmoothing: 0, fDivergenceType: "reverse_kl" });
  expect(dpo.notes).toContain(
    'label_smoothing: 0.1 has no effect, as in trl: it is read by none of the losses (apo_zero); for pairs with wrong labels take loss_type "robust"',
  );
  expect(dpo.notes).toContain('f_divergence_type: "forward_kl" has no effect, as in trl: it is read by none of the losses (apo_zero)');
  const cpo = run("--method", "cpo", "--label_smoothing", "0.1", "--loss_type", "hinge");
  expect(trainerArguments(cpo)).toMatchObject({ labelSmoothing: 0 });
  expect(cpo.notes).toContain("label_smoothing: 0.1 has no effect, as in trl: it is not read by the loss hinge");
  expect(run("--method", "cpo", "--label_smoothing", "0.1").notes).toEqual([]);
});
