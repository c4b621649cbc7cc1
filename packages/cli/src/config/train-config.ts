import { basename, resolve } from "node:path";
import { describeError } from "@kto/core";
import { diskName, overlay, pickFields, type GivenFields, type Mistake, type RuleMistake } from "@kto/core/config";
import { isRepoId } from "@kto/hub";
import { createSchedule, optimizerKind, optimizerNote, scheduleKwargsFromDisk, type OptimizerKind } from "@kto/optim";
import type { TrainingConfig } from "@kto/trainer";
import { ConfigError, fieldName } from "../errors.js";
import type { Io } from "../io.js";
import { hasSplits } from "@kto/kit/node";
import { checkGiven, mistakeLine, withHome } from "./check-command.js";
import type { TrainMethod } from "../methods/index.js";
import { asDeclared, chosenMethod, fieldOfOthers } from "./method-of.js";
import { settleUnread } from "./unread-values.js";
import { reportsTo, reportToMistakes } from "./report-to.js";
import { orderContradictions, settleOrder } from "./shuffle-dataset.js";
import { anyFields, fieldsOf, sharedFields, type TrainField, type TrainValues } from "./train-fields.js";

/** A complete config of `kto train`: its method, checked values, which of them were given, and what the user should know. */
export interface TrainConfig {
  method: TrainMethod;
  /** Those of the fields that are the method's own stand beside them: `trainerArguments` and `moreValues` pick them. */
  values: TrainValues;
  given: ReadonlySet<string>;
  notes: string[];
}

/** Where rows may be named besides `train_file`: where one of them is wrong, something is named. */
const otherPlaces: readonly TrainField[] = ["datasetName", "datasets"];

/** Keys of `resolved_config.yaml` that are no fields. */
const recordKeys: readonly string[] = ["versions", "commits"];

/** Puts flags over the fields of a file. `--data` stands for either of the fields that name data, so it replaces both. */
export function flagsOver(file: GivenFields, flags: GivenFields): GivenFields {
  const below = new Map(file.values);
  if (flags.values.has("data")) for (const name of ["train_file", "dataset_name"]) below.delete(name);
  return overlay(anyFields, { ...file, values: below }, flags);
}

/** Checks a train config as a whole; `named` is the method that the command names. Throws ConfigError with every mistake. */
export function trainConfig(input: GivenFields, env: Io["env"] = process.env, named?: TrainMethod): TrainConfig {
  const { method, mistake: wrongMethod } = chosenMethod(input, named);
  const fields = fieldsOf(method);
  const raw = asDeclared(fields, { ...input, values: new Map([...input.values].filter(([name]) => !recordKeys.includes(name))) });
  const checked = checkGiven(fields, raw, env, ["config"]);
  const { given, places, notes } = checked;
  const values: TrainValues = { ...(checked.values as TrainValues), method: method.name };
  if (raw.values.has("data") && values.trainFile !== null && hasSplits(values.trainFile) && values.datasetName === null)
    [values.datasetName, values.trainFile] = [values.trainFile, null];
  if (values.datasets) values.datasets = values.datasets.map((part) => ({ ...part, path: withHome(part.path, env) }));
  const command = named?.name ?? "train";
  const placeOf = (field: string): string => places.get(field) ?? diskName(field, fields[field]!)!;
  const wrong = new Set<string>();
  const lines = wrongMethod === undefined ? [] : [wrongMethod];
  const add = (mistake: Mistake): void => {
    const isOfMethod = mistake.kind === "unusable" && !Object.hasOwn(sharedFields, mistake.field);
    const ofOthers = fieldOfOthers(mistake, method, raw);
    if (mistake.kind === "unusable") wrong.add(mistake.field);
    if (wrongMethod !== undefined && (isOfMethod || ofOthers !== undefined || mistake.place === placeOf("method"))) return;
    lines.push(ofOthers ?? mistakeLine(command, fields, mistake));
  };
  for (const mistake of checked.mistakes) add(mistake);
  notes.push(
    ...settleUnread(
      method,
      values,
      (method.unread?.(argumentsOf(method, values)) ?? []).filter(({ field }) => !wrong.has(field)),
    ),
  );
  for (const rule of [
    ...contradictions(values),
    ...orderContradictions(method, values, given),
    ...method.contradictions(argumentsOf(method, values)),
  ])
    if (!wrong.has(rule.field) && !(rule.field === "trainFile" && otherPlaces.some((field) => wrong.has(field))))
      add({ kind: "unusable", place: placeOf(rule.field), ...rule });
  const schedule = wrong.has("lrSchedulerType") || wrong.has("lrSchedulerKwargs") ? undefined : scheduleMistake(values);
  if (schedule !== undefined) lines.push(`${placeOf("lrSchedulerKwargs")}: ${schedule}`);
  if (lines.length > 0) throw new ConfigError(lines);
  notes.push(...settle(method, values, given));
  return { method, values, given, notes };
}

/** What this version does not do, and what contradicts what. */
function contradictions(values: TrainValues): RuleMistake[] {
  const found: RuleMistake[] = [];
  const expect = (holds: boolean, field: TrainField, problem: string, expected: string, got: string, advice?: string): void => {
    if (!holds) found.push({ field, problem, expected, got, advice });
  };
  const { trainFile, datasetName, datasets, bf16, fp16, useDora, pushToHub, hubModelId } = values;
  const named = { trainFile, datasetName, datasets };
  const places = (Object.keys(named) as (keyof typeof named)[]).filter((field) => named[field] !== null);
  const numWeighted = datasets?.filter(({ weight }) => (weight ?? null) !== null).length ?? 0;
  const isFp4 = values.loadIn4bit && values.bnb4bitQuantType === "fp4";
  const hasEvalData = values.evalFile !== null || (datasetName !== null && hasSplits(datasetName));
  const resumes = (values.resumeFromCheckpoint ?? false) !== false;
  expect(
    places.length > 0,
    "trainFile",
    "no data is named",
    "a data file",
    "none",
    "give --train_file, or --dataset_name for a data set of the hub",
  );
  expect(places.length < 2, places.at(-1) ?? "trainFile", `there is a {${places[0]}} too`, "one place of rows", "both", "remove one");
  expect(
    numWeighted === 0 || numWeighted === datasets!.length,
    "datasets",
    "some parts have a weight and some have none",
    `${datasets?.length} weights, or none`,
    String(numWeighted),
    "give each part a weight, or take them out to have one after the other",
  );
  expect(
    !(trainsEveryWeight(values) && values.loadIn4bit),
    "loadIn4bit",
    "every weight is to be trained, and one in four bits cannot be",
    "false, or an adapter to train",
    "true",
    "set {usePeft}: true to train an adapter, or leave {loadIn4bit} out",
  );
  expect(!isFp4, "bnb4bitQuantType", "fp4 is not offered", "nf4", "fp4", "nf4 has the smaller error at the same size");
  expect(!useDora, "useDora", "DoRA is not part of this version", "false", "true", "set it to false");
  expect(
    !pushToHub || hubModelId !== null || isRepoId(defaultHubModelId(values)),
    "hubModelId",
    "the last part of {outputDir} is no name of a repository",
    "owner/name",
    defaultHubModelId(values),
    "set {hubModelId}",
  );
  expect(!(bf16 === true && fp16), "fp16", "bf16 is on too", "one of the two", "both", "remove one");
  expect(
    values.evalStrategy === "no" || hasEvalData,
    "evalStrategy",
    "there is nothing to evaluate on",
    "an {evalFile}, or a {datasetName} with a split for it",
    "none",
    'give one, or set {evalStrategy}: "no"',
  );
  expect(
    !(values.overwriteOutputDir && resumes),
    "overwriteOutputDir",
    "the run is to be resumed too",
    "one of the two",
    "both",
    "remove one",
  );
  return [...found, ...reportToMistakes(values.reportTo)];
}

/** Whether a run trains every weight of its model: where there is neither an adapter nor one to make. */
export function trainsEveryWeight({ usePeft, adapterNameOrPath }: Pick<TrainValues, "usePeft" | "adapterNameOrPath">): boolean {
  return !usePeft && adapterNameOrPath === null;
}

/** `hub_model_id` where none is given, as in transformers. */
export function defaultHubModelId({ outputDir }: Pick<TrainValues, "outputDir">): string {
  return basename(resolve(outputDir));
}

/** What the schedule itself says of its name and arguments. */
function scheduleMistake({ lrSchedulerType: name, lrSchedulerKwargs: kwargs, learningRate }: TrainValues): string | undefined {
  try {
    createSchedule({ name, learningRate, numTrainingSteps: 10, kwargs: scheduleKwargsFromDisk(kwargs ?? {}) });
    return undefined;
  } catch (error) {
    return describeError(error as Error, fieldName);
  }
}

/** The name of each optimizer in `resolved_config.yaml`. */
const plainNames: Readonly<Record<OptimizerKind, string>> = {
  adamw: "adamw_torch",
  adamw_8bit: "adamw_8bit",
  adamw_32bit: "adamw_32bit",
};

/** Gives each setting its one spelling, and says what has no effect or another than its name says. */
function settle(method: TrainMethod, values: TrainValues, given: ReadonlySet<string>): string[] {
  const notes: string[] = [];
  if (values.warmupRatio !== null && values.warmupSteps === 0) values.warmupSteps = values.warmupRatio;
  values.warmupRatio = null;
  const optimizer = optimizerNote(values.optim);
  if (optimizer !== undefined) notes.push(optimizer);
  values.optim = plainNames[optimizerKind(values.optim)];
  const ofAdapter = [...given]
    .filter((field) => /^lora[A-Z]|^useRslora$/.test(field))
    .map((field) => diskName(field, sharedFields[field as TrainField]));
  if (values.adapterNameOrPath !== null && ofAdapter.length > 0)
    notes.push(`${ofAdapter.join(", ")}: taken from the adapter's own config instead`);
  if (trainsEveryWeight(values) && ofAdapter.length > 0)
    notes.push(`${ofAdapter.join(", ")}: no effect without use_peft: every weight is trained`);
  if (values.loraDropout > 0 && values.disableDropout && given.has("loraDropout"))
    notes.push("lora_dropout acts only with disable_dropout: false");
  notes.push(...settleOrder(method, values));
  if (values.evalFile !== null && values.evalStrategy === "no") notes.push('eval_file is not read: eval_strategy is "no"');
  if (values.earlyStoppingPatience !== null && !values.loadBestModelAtEnd)
    notes.push("early_stopping_patience without load_best_model_at_end: the run ends with its last weights, not with its best");
  if (values.earlyStoppingPatience === null && values.earlyStoppingThreshold !== 0)
    notes.push("early_stopping_threshold: no effect without early_stopping_patience");
  const hubFields = [...given]
    .map((field) => field as TrainField)
    .filter((field) => /^hub[A-Z]/.test(field) && values[field] !== sharedFields[field].initial)
    .map((field) => diskName(field, sharedFields[field]));
  if (hubFields.length > 0 && !values.pushToHub) notes.push(`${hubFields.join(", ")}: no effect without push_to_hub`);
  if (values.loggingDir !== null && !reportsTo(values.reportTo).includes("tensorboard"))
    notes.push("logging_dir: no effect without report_to: tensorboard");
  return notes;
}

/** The trainer's arguments. */
export function trainerArguments({ method, values }: Pick<TrainConfig, "method" | "values">): Partial<TrainingConfig> {
  const { lrSchedulerKwargs, maxSteps } = values;
  return {
    ...argumentsOf(method, values),
    maxSteps: maxSteps === 0 ? -1 : maxSteps,
    lrSchedulerKwargs: { ...scheduleKwargsFromDisk(lrSchedulerKwargs ?? {}) },
  };
}

/** Values of the fields that the command reads for the method besides its trainer's. */
export function moreValues({ method, values }: Pick<TrainConfig, "method" | "values">): object {
  return pickFields(values as Record<string, unknown>, ...Object.keys(method.moreFields));
}

/** Values of the fields of a method's trainer. */
function argumentsOf({ fields }: TrainMethod, values: TrainValues): TrainingConfig {
  const names = Object.keys(fields).filter((name) => fields[name]!.onDisk !== null);
  return pickFields(values as Record<string, unknown>, ...names) as unknown as TrainingConfig;
}
