import { excerpt } from "@kto/core";
import type { LoraConfig } from "@kto/lora";
import { placeAfter, type PlaceInData, type RunPlan } from "./run-plan.js";
import type { RunSettings } from "./trainer-state.js";

/** A setting of a run that is not what it was in the checkpoint that the run goes on from. */
export interface SettingDifference {
  /** A field of the arguments or of the adapter's config, or `numRows`, `numRanks` or `method`. */
  field: string;
  before: unknown;
  now: unknown;
}

/** Fields that change when something is said or written, or how memory is used, but no number of the training. */
const withoutEffect: ReadonlySet<string> = new Set([
  "loggingStrategy",
  "loggingSteps",
  "loggingFirstStep",
  "evalStrategy",
  "evalSteps",
  "perDeviceEvalBatchSize",
  "saveStrategy",
  "saveSteps",
  "saveTotalLimit",
  "gradientCheckpointing",
  "microBatchesPerPass",
  "offloadEmbedding",
  "precomputeRefLogProbs",
  "precomputeRefBatchSize",
  "evalPacking",
  "paddingFree",
]);

/** Fields of an adapter that change what it computes, with the weights of a checkpoint or without. */
const ofAdapter = ["baseModelNameOrPath", "loraAlpha", "useRslora", "alphaPattern", "loraDropout"] as const;

/** Fields of an adapter that say which weights it has. */
const ofLayout = ["r", "targetModules", "rankPattern", "excludeModules", "layersToTransform", "layersPattern"] as const;

/** What differs between the run that wrote a checkpoint and the one that goes on from it, of what changes its numbers. */
export function settingDifferences(before: RunSettings | undefined, now: RunSettings): SettingDifference[] {
  if (!before) return [];
  const pairs: [field: string, before: unknown, now: unknown][] = [
    ["method", before.method, now.method],
    ["numRows", before.numRows, now.numRows],
    ["numRanks", before.numRanks, now.numRanks],
    ...Object.entries(now.args).map(([field, value]): [string, unknown, unknown] => [field, before.args[field], value]),
  ];
  return pairs.filter(([field, was]) => !withoutEffect.has(field) && was !== undefined).flatMap(differing);
}

/** Where in the data a run had come, and where one with other settings goes on after as many updates; undefined where it is the same place, or not known. */
export function placeChange(
  before: RunSettings | undefined,
  now: RunPlan,
  updates: number,
): { before: PlaceInData; now: PlaceInData } | undefined {
  if (!before) return undefined;
  const { perDeviceTrainBatchSize: batch, gradientAccumulationSteps: accumulate } = before.args;
  if (typeof batch !== "number" || typeof accumulate !== "number" || !(batch >= 1) || !(accumulate >= 1)) return undefined;
  const rowsPerUpdate = batch * accumulate * before.numRanks;
  const was = placeAfter(updates, { rowsPerUpdate, updatesPerEpoch: Math.ceil(before.numRows / rowsPerUpdate) });
  const is = placeAfter(updates, now);
  return was.epoch === is.epoch && was.row === is.row ? undefined : { before: was, now: is };
}

/** What differs in the adapter that the weights of a checkpoint go into, or in the model it is of, where both have a name. Dropout that is off changes nothing. */
export function adapterDifferences(
  before: LoraConfig,
  now: LoraConfig,
  { disableDropout }: { disableDropout: boolean },
): SettingDifference[] {
  const isActing = (field: (typeof ofAdapter)[number]): boolean => {
    if (field === "loraDropout") return !disableDropout;
    return field !== "baseModelNameOrPath" || (before[field] !== null && now[field] !== null);
  };
  return ofAdapter.filter(isActing).flatMap((field) => differing([field, before[field], now[field]]));
}

/** What differs in the layout of two adapters, in words. */
export function layoutDifferences(before: LoraConfig, now: LoraConfig): string[] {
  return ofLayout
    .flatMap((field) => differing([field, before[field], now[field]]))
    .map(({ field, before: there, now: here }) => `${field} ${excerpt(there)} there, ${excerpt(here)} here`);
}

function differing([field, before, now]: [field: string, before: unknown, now: unknown]): SettingDifference[] {
  return comparable(before) === comparable(now) ? [] : [{ field, before, now }];
}

/** JSON; of a list of names whatever their order. */
function comparable(value: unknown): string {
  return Array.isArray(value) ? JSON.stringify(value.map((item) => JSON.stringify(item)).sort()) : JSON.stringify(value);
}
