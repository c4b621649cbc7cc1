import { defaultsOf, type GivenFields } from "@kto/core/config";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.js";
import { parseFlags } from "../flags.js";
import { methodNamed, methods } from "../methods/index.js";
import { formatResolvedConfig } from "../resolved-config.js";
import { kto } from "../testing/run-kto.js";
import { trainConfig, trainerArguments, type TrainConfig } from "./train-config.js";
import { anyFields, fieldsOf } from "./train-fields.js";

const basics = ["--model", "m", "--data", "t", "--use_peft"];
const config = (...argv: string[]): TrainConfig =>
  trainConfig(parseFlags([...basics, ...argv], { config: anyFields["seed"]!, ...anyFields }).fields);

/** A config file, with the command that reads it. */
function fileConfig(fields: Record<string, unknown>, command?: string): TrainConfig {
  const values = new Map(Object.entries({ model: "m", data: "t", use_peft: true, ...fields }));
  const given: GivenFields = { values, places: new Map([...values.keys()].map((name) => [name, `${name} (kto.yaml)`])) };
  return trainConfig(given, {}, command === undefined ? undefined : methodNamed(command));
}

function mistakesOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

describe.each(methods.map(({ name }) => name))("method: %s", (name) => {
  const method = methodNamed(name);

  it("has the defaults of its trainer, and its columns fit into 80", () => {
    const { lossScale: _, ...defaults } = defaultsOf(method.fields);
    const checked = config("--method", name);
    expect(trainerArguments(checked)).toEqual(defaults);
    const { columns } = method.display(method.config(trainerArguments(checked)));
    expect(columns.reduce((width, column) => width + column.width, 41)).toBeLessThanOrEqual(79);
    for (const { title, width } of columns) expect(title.length).toBeLessThan(width);
  });

  it("is repeated by its resolved config, which has no field of another", () => {
    const first = fileConfig({ method: name, learning_rate: 3e-4, warmup_ratio: 0.1 });
    const text = formatResolvedConfig(first.values, "float32");
    const again = trainConfig({ values: new Map(Object.entries(load(text) as object)), places: new Map() });
    expect(again.method).toBe(method);
    expect(trainerArguments(again)).toEqual(trainerArguments(first));
    expect(formatResolvedConfig(again.values, "float32")).toBe(text);
  });

  it("is a command, whose help has its fields alone", async () => {
    const { stdout, status } = await kto([name, "--help"]);
    expect(status).toBe(0);
    const fieldsIn = (text: string): string => text.slice(text.indexOf("the model:"));
    expect(fieldsIn((await kto(["train", "--method", name, "--help"])).stdout)).toBe(fieldsIn(stdout));
    expect(stdout.includes("--desirable_weight")).toBe(name === "kto");
    expect(stdout.includes("--packing ")).toBe(name === "sft");
    expect(stdout.includes("--cpo_alpha")).toBe(name === "cpo");
    expect(stdout).not.toContain("--method");
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(100);
  });
});

it("takes each method's own default and spelling of a field", () => {
  expect(config("--method", "sft").values.learningRate).toBe(2e-5);
  expect(config("--method", "dpo").values.learningRate).toBe(1e-6);
  expect(trainerArguments(config("--method", "dpo", "--loss_type", "sigmoid", "ipo", "--loss_weights", "0.7", "0.3"))).toMatchObject({
    lossType: ["sigmoid", "ipo"],
    lossWeights: [0.7, 0.3],
  });
  expect(trainerArguments(config("--loss_type", "apo_zero_unpaired"))).toMatchObject({ lossType: "apo_zero_unpaired" });
  expect(config("--method", "DPO").method.name).toBe("dpo");
});

it("a list ends before a config", () => {
  const { operands, fields } = parseFlags(["--loss_type", "kto", "kto.yaml"], { config: anyFields["seed"]!, ...anyFields });
  expect(operands).toEqual(["kto.yaml"]);
  expect(fields.values.get("loss_type")).toEqual(["kto"]);
});

it("a field of another method is a mistake that says whose it is", () => {
  expect(mistakesOf(() => fileConfig({ method: "kto", label_smoothing: 0.1, packing: true, desirable_weight: 1.5 }))).toEqual([
    "label_smoothing (kto.yaml): a field of dpo, cpo, and the method is kto; expected fields of kto, got 0.1; remove it, or set method: dpo or cpo",
    "packing (kto.yaml): a field of sft, and the method is kto; expected fields of kto, got true; remove it, or set method: sft",
  ]);
  expect(mistakesOf(() => fileConfig({ method: "sft", reference: "base" }))).toEqual([
    'reference (kto.yaml): a field of kto, dpo, and the method is sft; expected fields of sft, got "base"; remove it, or set method: kto or dpo',
  ]);
  expect(mistakesOf(() => fileConfig({ method: "kto", packing: false }))).toEqual([]);
});

it("a command takes no config of another method", () => {
  expect(fileConfig({}, "dpo").method.name).toBe("dpo");
  expect(fileConfig({ method: "dpo" }, "dpo").values.method).toBe("dpo");
  expect(mistakesOf(() => fileConfig({ method: "kto", beta: 0 }, "dpo"))).toEqual([
    "method (kto.yaml): the command is kto dpo; expected dpo, got kto; remove it, or run kto kto or kto train",
  ]);
});

it("of a method that there is not the other mistakes are told too", () => {
  expect(mistakesOf(() => fileConfig({ method: "ppo", learning_rat: 1, logging_steps: 0, packing: true, loss_type: "x" }))).toEqual([
    'method (kto.yaml): not usable; expected one of kto, dpo, sft, orpo, cpo, got "ppo"',
    "learning_rat (kto.yaml): there is no such field; did you mean learning_rate?",
    "logging_steps (kto.yaml): not usable; expected an integer of at least 1, got 0",
  ]);
});

describe("the order of rows", () => {
  it.each(["dpo", "sft", "orpo", "cpo"])("shuffle_dataset: false is the order of the data to %s", (method) => {
    const { notes, ...checked } = config("--method", method, "--shuffle_dataset", "false");
    expect(trainerArguments(checked)).toMatchObject({ trainSamplingStrategy: "sequential" });
    expect(checked.values.shuffleDataset).toBe(null);
    expect(notes).toEqual(["shuffle_dataset: false means train_sampling_strategy: sequential"]);
    expect(mistakesOf(() => config("--method", method, "--shuffle_dataset", "no", "--train_sampling_strategy", "random"))).toEqual([
      '--shuffle_dataset: train_sampling_strategy says another order; expected true, or train_sampling_strategy: "sequential", got false and "random"; remove one',
    ]);
  });

  it("true is a random order to DPO, and datasets' shuffle to SFT", () => {
    expect(mistakesOf(() => config("--method", "dpo", "--shuffle_dataset", "--train_sampling_strategy", "sequential"))).toEqual([
      '--shuffle_dataset: train_sampling_strategy says another order; expected false, or train_sampling_strategy: "random", got true and "sequential"; remove one',
    ]);
    const sft = config("--method", "sft", "--shuffle_dataset", "--train_sampling_strategy", "sequential");
    expect(trainerArguments(sft)).toMatchObject({ shuffleDataset: true, trainSamplingStrategy: "sequential" });
  });

  it("KTO keeps that of the data, whatever is asked for, and takes no other", () => {
    for (const value of ["true", "false"])
      expect(config("--shuffle_dataset", value, "--data_seed", "3").notes).toEqual([
        "shuffle_dataset has no effect on KTO, whose rows keep the file's order",
      ]);
    expect(mistakesOf(() => config("--train_sampling_strategy", "random"))).toHaveLength(1);
    expect(mistakesOf(() => config("--train_sampling_strategy", "sequential"))).toEqual([]);
  });
});

it.each([
  ["reference_free", "true", /a field that trl no longer has; expected it unset, got true; remove it: the methods orpo and cpo/],
  ["rpo_alpha", "1", /a field that trl no longer has; .* set loss_type: \[sigmoid, sft\] and loss_weights/],
  ["max_prompt_length", "128", /a field that trl no longer has; .* set max_length, which holds for prompt and completion together/],
  ["max_seq_length", "128", /a field that trl no longer has; .* set max_length$/],
  ["ref_adapter_name", "ref", /set reference: initial or base/],
  ["chat_template_path", "t.jinja", /set chat_template/],
])("%s is refused with what stands in its place", (field, value, says) => {
  expect(mistakesOf(() => config("--method", "dpo", `--${field}`, value))).toEqual([expect.stringMatching(says)]);
});

it("every field of a method is one that any command line of train may hold", () => {
  for (const method of methods) for (const name of Object.keys(fieldsOf(method))) expect(anyFields).toHaveProperty(name);
});
