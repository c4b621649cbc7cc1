import type { RunSettings } from "./trainer-state.js";

/** A setting of a run that is not what it was in the checkpoint that the run goes on from. */
export interface SettingDifference {
  /** A field of the arguments, or `numRows`. */
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
  "precomputeRefLogProbs",
  "precomputeRefBatchSize",
]);

/** What differs between the run that wrote a checkpoint and the one that goes on from it, of what changes its numbers. */
export function settingDifferences(before: RunSettings | undefined, now: RunSettings): SettingDifference[] {
  if (!before) return [];
  const pairs: [field: string, before: unknown, now: unknown][] = [
    ["numRows", before.numRows, now.numRows],
    ...Object.entries(now.args).map(([field, value]): [string, unknown, unknown] => [field, before.args[field], value]),
  ];
  return pairs
    .filter(([field, was, is]) => !withoutEffect.has(field) && was !== undefined && JSON.stringify(was) !== JSON.stringify(is))
    .map(([field, was, is]) => ({ field, before: was, now: is }));
}
