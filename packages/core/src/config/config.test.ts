import { expect, it } from "vitest";
import { excerpt, KtoError } from "../index.js";
import {
  boolean,
  booleanOr,
  booleanOrInteger,
  booleanOrPath,
  checkFields,
  choice,
  defaultsOf,
  describeFields,
  diskNames,
  field,
  fieldTable,
  ignored,
  inGroups,
  integer,
  jsonSchema,
  libraryText,
  memorySize,
  mistakeText,
  names,
  number,
  oneOrMore,
  orNull,
  overlay,
  path,
  patterns,
  readFlag,
  refused,
  renamed,
  requiredField,
  snakeCase,
  spellOnDisk,
  type GivenFields,
  type Values,
} from "./index.js";

const fields = {
  modelName: requiredField(path("a folder"), { group: "model", help: "what is trained", aliases: ["model"] }),
  batchSize: field(integer(1), 8, { group: "loop", help: "rows of a batch", notes: "whole ones" }),
  beta: field(number({ above: 0, below: 1 }), 0.1, { group: "loss", help: "strength", fate: "different" }),
  lossType: field(choice(["kto", "apo"]), "kto", { group: "loss", help: "which | what" }),
  loadIn4bit: field(boolean(), false, { group: "model", help: "four bits", onDisk: "load_in_4bit" }),
  resume: field(orNull(booleanOrPath()), null, { group: "loop", help: "where from" }),
  mode: field(booleanOr("auto"), "auto", { group: "loop", help: "how" }),
  layers: field(orNull(oneOrMore(integer(0), "layer numbers")), null, { group: "model", help: "which layers of all" }),
  targets: field(orNull(names()), null, { group: "model", help: "which layers" }),
  globs: field(orNull(patterns()), null, { group: "loop", help: "which files" }),
  maxMemory: field(orNull(memorySize()), null, { group: "loop", help: "at most" }),
  scale: field(number(), 1, { group: "loop", help: "in libraries only", onDisk: null }),
};
const others = { use_dora: refused("a magnitude"), run_name: ignored("no service"), seed_everything: ignored() };

const given = (values: Record<string, unknown>, place = ""): GivenFields => ({
  values: new Map(Object.entries(values)),
  places: new Map(Object.keys(values).map((name) => [name, `${name}${place}`])),
});
const messageOf = (...given: Parameters<typeof libraryText>): string => new KtoError("TRAINER_CONFIG", libraryText(...given)).message;
const onDisk = (values: Record<string, unknown>): ReturnType<typeof checkFields<typeof fields>> =>
  checkFields(fields, given({ model_name: "m", ...values }), { spelling: "disk", others, moreFlags: ["device"], home: "/home/me" });
const text = (values: Record<string, unknown>): string[] =>
  onDisk(values).mistakes.map((mistake) =>
    mistake.kind === "unusable" ? `${mistake.place}: ${mistakeText(mistake)}` : `${mistake.kind} ${mistake.place}`,
  );

it("infers a config from its fields", () => {
  const values: Values<typeof fields> = { ...defaultsOf(fields), modelName: "m", resume: "checkpoint-1", lossType: "apo" };
  // @ts-expect-error: no such loss
  values.lossType = "dpo";
  // @ts-expect-error: a required field is never undefined
  values.modelName = undefined;
  expect(defaultsOf(fields)).toMatchObject({ batchSize: 8, beta: 0.1, lossType: "kto", loadIn4bit: false, resume: null, scale: 1 });
});

it("reads the words of files: YAML 1.1's booleans, home, lists, sizes", () => {
  for (const word of ["yes", "Yes", "ON", "y", "true", "True"]) expect(onDisk({ load_in_4bit: word }).values.loadIn4bit).toBe(true);
  for (const word of ["no", "OFF", "n", "False"]) expect(onDisk({ load_in_4bit: word }).values.loadIn4bit).toBe(false);
  expect(onDisk({ loss_type: "no" }).mistakes).toHaveLength(1);
  expect(onDisk({ resume: "yes", mode: "off" }).values).toMatchObject({ resume: true, mode: false });
  expect(onDisk({ resume: "~/runs/1" }).values.resume).toBe("/home/me/runs/1");
  expect(onDisk({ model_name: "~/m" }).values.modelName).toBe("/home/me/m");
  expect(onDisk({ model_name: "~" }).values.modelName).toBe("/home/me");
  expect(onDisk({ model_name: "~other/m" }).values.modelName).toBe("~other/m");
  expect(onDisk({ targets: "q_proj v_proj" }).values.targets).toEqual(["q_proj", "v_proj"]);
  expect(onDisk({ targets: "all-linear" }).values.targets).toBe("all-linear");
  expect(onDisk({ max_memory: "2GiB" }).values.maxMemory).toBe(2 ** 31);
});

it("reads the words of flags", () => {
  expect(readFlag(fields.batchSize, "4")).toBe(4);
  expect(readFlag(fields.batchSize, "four")).toBe("four");
  expect(readFlag(fields.loadIn4bit, "1")).toBe(true);
  expect(readFlag(fields.resume, "None")).toBeNull();
  const page = booleanOrInteger(0, 9);
  expect(["0", "1", "10", "yes", ""].map((word) => readFlag(page, word))).toEqual([0, 1, "10", "yes", ""]);
  expect([readFlag(page, true), readFlag(fields.resume, "0"), readFlag(fields.mode, "1")]).toEqual([true, false, true]);
  const template = { ...orNull(path()), hasNone: true };
  expect([readFlag(template, "none"), readFlag(template, "null")]).toEqual(["none", null]);
  expect(readFlag(fields.globs, ["*.json", "*.md"])).toEqual(["*.json", "*.md"]);
  expect(readFlag(fields.targets, ['["a", "b"]'])).toEqual(["a", "b"]);
});

it.each<[string | string[], unknown]>([
  ["q_proj, k_proj, v_proj", ["q_proj", "k_proj", "v_proj"]],
  ["q_proj,k_proj", ["q_proj", "k_proj"]],
  [
    ["q_proj,", "k_proj"],
    ["q_proj", "k_proj"],
  ],
  ["q_proj ,\tk_proj,", ["q_proj", "k_proj"]],
  ["q_proj\nk_proj", ["q_proj", "k_proj"]],
  ['["q_proj", "k_proj"]', ["q_proj", "k_proj"]],
  ["['q_proj', 'k_proj']", ["q_proj", "k_proj"]],
  ["[q_proj, k_proj]", ["q_proj", "k_proj"]],
  ["q_proj,", ["q_proj"]],
  ["all-linear", "all-linear"],
  [String.raw`.*\.layers\.\d{1,2}\.(q|k)_proj`, String.raw`.*\.layers\.\d{1,2}\.(q|k)_proj`],
  ["[qkv]_proj", "[qkv]_proj"],
  ["none", null],
])("a list of names is read from %j", (written, names) => {
  expect(readFlag(fields.targets, written)).toEqual(names);
  if (typeof written === "string" && names !== null) expect(onDisk({ targets: written }).values.targets).toEqual(names);
});

it.each([
  ["0, 1", [0, 1]],
  ["0 1", [0, 1]],
  ["[0, 1]", [0, 1]],
  ["3", [3]],
  [3, 3],
  [
    [1, 2],
    [1, 2],
  ],
])("a list of numbers is read from %j", (written, numbers) => expect(onDisk({ layers: written }).values.layers).toEqual(numbers));

it("lists every mistake with its place, and the nearest name of any spelling", () => {
  expect(text({ batch_size: 0, beta: "much", los_type: 1, use_dora: true, modell: "x" })).toEqual([
    "unknown los_type",
    "refused use_dora",
    "unknown modell",
    "batch_size: not usable; expected an integer of at least 1, got 0",
    'beta: not usable; expected a number above 0 and below 1, got "much"',
  ]);
  expect(onDisk({ modell: 1, los_type: 1 }).mistakes.map((mistake) => mistake.kind === "unknown" && mistake.nearest)).toEqual([
    "model",
    "loss_type",
  ]);
  const flag = { values: new Map([["devise", "gpu"]]), places: new Map([["devise", "--devise"]]) };
  expect(checkFields(fields, flag, { spelling: "disk", moreFlags: ["device"] }).mistakes[0]).toMatchObject({ nearest: "device" });
  expect(text({ scale: 2 })).toEqual(["unknown scale"]);
  const { mistakes } = checkFields(fields, given({}), { spelling: "disk" });
  expect(mistakes).toMatchObject([{ place: "--model_name", problem: "missing", advice: "give --model_name" }]);
});

it("takes a field under one of its names, or the same value under two", () => {
  expect(checkFields(fields, given({ model: "m" }), { spelling: "disk" }).values.modelName).toBe("m");
  expect(text({ model: "m" })).toEqual([]);
  expect(text({ model: "n" })).toEqual([
    'model: it means the same as model_name, which is given too; expected one of the two, got "m" and "n"; remove one',
  ]);
  const over = overlay(fields, given({ model_name: "a", beta: 0.5 }), given({ model: "b" }, " above"));
  expect([...over.values]).toEqual([
    ["beta", 0.5],
    ["model", "b"],
  ]);
});

it("fields without effect are notes, those that ask for nothing are not", () => {
  expect(onDisk({ run_name: "first", seed_everything: true, use_dora: false }).notes).toEqual([
    "run_name has no effect here: no service",
    "seed_everything has no effect here",
  ]);
  expect(onDisk({ run_name: null, seed_everything: false }).notes).toEqual([]);
});

it("a library's values are taken as they are", () => {
  const check = (values: Record<string, unknown>) =>
    checkFields(
      fields,
      { values: new Map(Object.entries({ modelName: "~/m", ...values })), places: new Map() },
      { spelling: "code", others },
    );
  expect(check({ batchSize: undefined, targets: "q v" }).values).toMatchObject({ modelName: "~/m", batchSize: 8, targets: "q v" });
  expect(check({ loadIn4bit: "yes" }).mistakes.map((mistake) => messageOf("config", mistake, Object.keys(fields)))).toEqual([
    'config: loadIn4bit is not usable; expected true or false, got "yes"',
  ]);
  expect(check({ useDora: true, batchsize: 2 }).mistakes.map((mistake) => messageOf("config", mistake, Object.keys(fields)))).toEqual([
    "config: useDora is not supported (a magnitude); expected it unset, got true; remove it",
    'config: there is no field "batchsize"; did you mean batchSize?',
  ]);
});

it("spells names", () => {
  expect(snakeCase("perDeviceTrainBatchSize")).toBe("per_device_train_batch_size");
  expect(spellOnDisk(fields, "use {loadIn4bit}, not {that}")).toBe("use load_in_4bit, not {that}");
  expect(() => diskNames({ a: fields.beta, b: renamed(fields.beta, { onDisk: "a" }) })).toThrow("a is declared twice");
  expect(excerpt("x".repeat(100))).toHaveLength(61);
});

it("puts fields into words, in the order of groups", () => {
  const ordered = inGroups(fields, ["loss", "model", "loop"]);
  expect(
    describeFields(ordered)
      .map(({ name }) => name)
      .slice(0, 4),
  ).toEqual(["beta", "loss_type", "model_name", "load_in_4bit"]);
  expect(fieldTable(ordered).slice(2, 5)).toEqual([
    "| `beta` | different | `0.1` | strength |",
    "| `loss_type` | supported | `kto` | which \\| what |",
    "| `model_name` | supported | required | what is trained |",
  ]);
  expect(() => inGroups(fields, ["loss"])).toThrow("modelName is of no group");
});

it("makes a JSON schema of every spelling, with defaults and meanings", () => {
  const { properties, additionalProperties } = jsonSchema(fields, { id: "x", title: "t", more: { versions: {} } }) as {
    properties: Record<string, object>;
    additionalProperties: boolean;
  };
  expect(additionalProperties).toBe(false);
  expect(Object.keys(properties)).toEqual([
    "model_name",
    "batch_size",
    "beta",
    "loss_type",
    "load_in_4bit",
    "resume",
    "mode",
    "layers",
    "targets",
    "globs",
    "max_memory",
    "model",
    "versions",
  ]);
  expect(properties["batch_size"]).toMatchObject({ type: "integer", minimum: 1, default: 8, description: "rows of a batch; whole ones" });
  expect(properties["loss_type"]).toMatchObject({ enum: ["kto", "apo"] });
  expect(properties["model"]).toMatchObject({ type: "string", deprecated: true });
});
