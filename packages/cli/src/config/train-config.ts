import { basename, resolve } from "node:path";
import { describeError } from "@kto/core";
import { diskName, overlay, type GivenFields, type RuleMistake } from "@kto/core/config";
import { isRepoId } from "@kto/hub";
import { createSchedule, optimizerKind, optimizerNote, scheduleKwargsFromDisk, type OptimizerKind } from "@kto/optim";
import { ktoContradictions, ktoFields, type KTOConfig } from "@kto/trainer";
import { ConfigError, fieldName } from "../errors.js";
import type { Io } from "../io.js";
import { hasSplits } from "@kto/kit/node";
import { checkGiven, mistakeLine } from "./check-command.js";
import { trainFields, type TrainField, type TrainValues } from "./train-fields.js";

/** A complete config of `kto train`: checked values, which of them were given, and what the user should know. */
export interface TrainConfig {
  values: TrainValues;
  given: ReadonlySet<TrainField>;
  notes: string[];
}

/** Keys of `resolved_config.yaml` that are no fields. */
const recordKeys: readonly string[] = ["versions", "commits"];

/** Puts flags over the fields of a file. `--data` stands for either of the fields that name data, so it replaces both. */
export function flagsOver(file: GivenFields, flags: GivenFields): GivenFields {
  const below = new Map(file.values);
  if (flags.values.has("data")) for (const name of ["train_file", "dataset_name"]) below.delete(name);
  return overlay(trainFields, { ...file, values: below }, flags);
}

/** Checks a train config as a whole. Throws ConfigError with every mistake. */
export function trainConfig(input: GivenFields, env: Io["env"] = process.env): TrainConfig {
  const fields = new Map([...input.values].filter(([name]) => !recordKeys.includes(name)));
  const { values, given, places, notes, mistakes } = checkGiven(trainFields, { ...input, values: fields }, env, ["config"]);
  if (fields.has("data") && values.trainFile !== null && hasSplits(values.trainFile) && values.datasetName === null)
    [values.datasetName, values.trainFile] = [values.trainFile, null];
  const lines = mistakes.map((mistake) => mistakeLine("train", trainFields, mistake));
  const placeOf = (field: TrainField): string => places.get(field) ?? diskName(field, trainFields[field])!;
  const wrong = new Set(mistakes.map((mistake) => mistake.kind === "unusable" && mistake.field));
  for (const rule of [...contradictions(values), ...ktoContradictions(values)]) {
    const field = rule.field as TrainField;
    if (!wrong.has(field)) lines.push(mistakeLine("train", trainFields, { kind: "unusable", place: placeOf(field), ...rule }));
    wrong.add(field);
  }
  const schedule = wrong.has("lrSchedulerType") || wrong.has("lrSchedulerKwargs") ? undefined : scheduleMistake(values);
  if (schedule !== undefined) lines.push(`${placeOf("lrSchedulerKwargs")}: ${schedule}`);
  if (lines.length > 0) throw new ConfigError(lines);
  notes.push(...settle(values, given));
  return { values, given, notes };
}

/** What this version does not do, and what contradicts what. */
function contradictions(values: TrainValues): RuleMistake[] {
  const found: RuleMistake[] = [];
  const expect = (holds: boolean, field: TrainField, problem: string, expected: string, got: string, advice?: string): void => {
    if (!holds) found.push({ field, problem, expected, got, advice });
  };
  const { method, trainFile, datasetName, bf16, fp16, useDora, pushToHub, hubModelId } = values;
  const hasAdapter = values.usePeft || values.adapterNameOrPath !== null;
  const isFp4 = values.loadIn4bit && values.bnb4bitQuantType === "fp4";
  const hasEvalData = values.evalFile !== null || (datasetName !== null && hasSplits(datasetName));
  const resumes = (values.resumeFromCheckpoint ?? false) !== false;
  expect(method === "kto", "method", `${method} is not part of this version`, "kto", method, "see kto --help");
  expect(
    trainFile !== null || datasetName !== null,
    "trainFile",
    "no data is named",
    "a data file",
    "none",
    "give --train_file, or --dataset_name for a data set of the hub",
  );
  expect(trainFile === null || datasetName === null, "datasetName", "there is a {trainFile} too", "one of the two", "both", "remove one");
  expect(
    hasAdapter,
    "usePeft",
    "full-parameter training is not part of this version",
    "{usePeft}: true or an {adapterNameOrPath}",
    "neither",
    "set {usePeft}: true",
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
  return found;
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
function settle(values: TrainValues, given: ReadonlySet<TrainField>): string[] {
  const notes: string[] = [];
  if (values.warmupRatio !== null && values.warmupSteps === 0) values.warmupSteps = values.warmupRatio;
  values.warmupRatio = null;
  const optimizer = optimizerNote(values.optim);
  if (optimizer !== undefined) notes.push(optimizer);
  values.optim = plainNames[optimizerKind(values.optim)];
  if (values.adapterNameOrPath !== null) {
    const unused = [...given].filter((field) => /^lora[A-Z]|^useRslora$/.test(field)).map((field) => diskName(field, trainFields[field]));
    if (unused.length > 0) notes.push(`${unused.join(", ")}: taken from the adapter's own config instead`);
  }
  if (values.loraDropout > 0 && values.disableDropout && given.has("loraDropout"))
    notes.push("lora_dropout acts only with disable_dropout: false");
  if (values.shuffleDataset === false) notes.push("shuffle_dataset has no effect on KTO, whose rows keep the file's order");
  if (values.evalFile !== null && values.evalStrategy === "no") notes.push('eval_file is not read: eval_strategy is "no"');
  const hubFields = [...given]
    .filter((field) => /^hub[A-Z]/.test(field) && values[field] !== trainFields[field].initial)
    .map((field) => diskName(field, trainFields[field]));
  if (hubFields.length > 0 && !values.pushToHub) notes.push(`${hubFields.join(", ")}: no effect without push_to_hub`);
  const reports = [values.reportTo ?? []].flat().filter((name) => name !== "none");
  if (reports.length > 0)
    notes.push(
      `report_to: ${reports.join(", ")} has no effect here: there are no reporting services, and metrics.jsonl holds every number`,
    );
  return notes;
}

/** The trainer's arguments. */
export function trainerArguments(values: TrainValues): Partial<KTOConfig> {
  const { lrSchedulerKwargs, maxSteps } = values;
  const names = Object.entries(ktoFields).flatMap(([name, { onDisk }]) => (onDisk === null ? [] : [name as TrainField & keyof KTOConfig]));
  return {
    ...Object.fromEntries(names.map((name) => [name, values[name]])),
    maxSteps: maxSteps === 0 ? -1 : maxSteps,
    lrSchedulerKwargs: { ...scheduleKwargsFromDisk(lrSchedulerKwargs ?? {}) },
  };
}
