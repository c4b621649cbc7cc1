import { excerpt } from "@kto/core";
import { snakeCase } from "@kto/core/config";
import { ScheduleError } from "./errors.js";

/** Shapes of a rise or fall in `warmup_stable_decay`. */
const wsdShapes = ["linear", "cosine", "1-sqrt"] as const;

/** The arguments some schedules take; transformers' `lr_scheduler_kwargs` in camelCase. Defaults stand beside each. */
export interface ScheduleKwargs {
  /** Schedules with a cosine: waves, 0.5 (half a wave). `cosine_with_restarts`: hard restarts, 1. */
  numCycles?: number;
  /** `polynomial`: exponent, 1. */
  power?: number;
  /** `polynomial`: rate at the end, 1e-7; below the learning rate. */
  lrEnd?: number;
  /**
   * `cosine_with_min_lr`, `cosine_warmup_with_min_lr`: rate at the end; this or `minLrRate`. `reduce_lr_on_plateau`, `greedy`: the lowest rate, 0 and 1e-3.
   */
  minLr?: number;
  /** `cosine_with_min_lr`, `cosine_warmup_with_min_lr`: rate at the end as a share of the learning rate. */
  minLrRate?: number;
  /** `cosine_warmup_with_min_lr`: rate of the first update as a share of the learning rate, 1 / W. */
  warmupLrRate?: number;
  /** `inverse_sqrt`: T, by default W, or 10,000 without warm-up. */
  timescale?: number;
  /** `warmup_stable_decay`: updates of the fall; has to be given. */
  numDecaySteps?: number;
  /** `warmup_stable_decay`: updates between, N − W − `numDecaySteps`. */
  numStableSteps?: number;
  /** `warmup_stable_decay`: how it rises, linear. */
  warmupType?: (typeof wsdShapes)[number];
  /** `warmup_stable_decay`: how it falls, cosine. */
  decayType?: (typeof wsdShapes)[number];
  /** `warmup_stable_decay`: the lowest rate as a share of the learning rate, 0. */
  minLrRatio?: number;
  /** Schedules that follow a metric: whether it is to fall or to rise, min. */
  mode?: "min" | "max";
  /** The rate's factor, below 1: 0.1 for `reduce_lr_on_plateau`, 0.95 for `greedy`. */
  factor?: number;
  /** Evaluations without a better metric that are waited for, 10. */
  patience?: number;
  /** What counts as better: 1e-4 and 1e-6. */
  threshold?: number;
  /** Whether `threshold` is a share of the best or a difference from it: rel and abs. */
  thresholdMode?: "rel" | "abs";
  /** Evaluations after a fall that count for nothing, 0. */
  cooldown?: number;
  /** Changes of the rate up to this are left out, 1e-8. */
  eps?: number;
  /** `greedy`: evaluations after a rise that count for nothing, 0. */
  warmup?: number;
  /** `greedy`: the highest rate, 1. */
  maxLr?: number;
  /** `greedy`: whether the mean of the last `windowSize` metrics is followed, false. */
  smooth?: boolean;
  /** `greedy`: 50. */
  windowSize?: number;
  /** `greedy`: falls at the lowest rate after which everything begins anew, 500. */
  resetStart?: number;
  /** `greedy`: no effect. */
  verbose?: boolean;
}

/** Name of an argument of a schedule. */
export type KwargName = keyof ScheduleKwargs;

/** What an argument may be: a finite number, a truth, or one of some words. */
type KwargType = "number" | "boolean" | readonly string[];

const types: Readonly<Record<KwargName, KwargType>> = {
  numCycles: "number",
  power: "number",
  lrEnd: "number",
  minLr: "number",
  minLrRate: "number",
  warmupLrRate: "number",
  timescale: "number",
  numDecaySteps: "number",
  numStableSteps: "number",
  warmupType: wsdShapes,
  decayType: wsdShapes,
  minLrRatio: "number",
  mode: ["min", "max"],
  factor: "number",
  patience: "number",
  threshold: "number",
  thresholdMode: ["rel", "abs"],
  cooldown: "number",
  eps: "number",
  warmup: "number",
  maxLr: "number",
  smooth: "boolean",
  windowSize: "number",
  resetStart: "number",
  verbose: "boolean",
};

/** Every argument by its name in `lr_scheduler_kwargs`. */
const diskNames: ReadonlyMap<string, KwargName> = new Map(
  Object.keys(types).map((name): [string, KwargName] => [snakeCase(name), name as KwargName]),
);

/** Throws ScheduleError for an argument that `schedule` does not take, and for a value of the wrong type. */
export function expectKwargs(schedule: string, taken: readonly KwargName[], kwargs: ScheduleKwargs): void {
  for (const [key, value] of Object.entries(kwargs)) {
    if (value === undefined) continue;
    if (!taken.includes(key as KwargName))
      throw new ScheduleError(
        {
          operation: "createSchedule",
          problem: `${schedule} takes no argument "{${key}}"`,
          expected: taken.length === 0 ? "none" : `among ${taken.map((name) => `{${name}}`).join(", ")}`,
          fields: [key, ...taken],
        },
        { field: `kwargs.${key}` },
      );
    expectType(key as KwargName, value);
  }
}

/** `lr_scheduler_kwargs` as a config file spells them (`num_cycles`) → `ScheduleKwargs`. Throws ScheduleError for an unknown key or a wrong value. */
export function scheduleKwargsFromDisk(kwargs: Readonly<Record<string, unknown>>): ScheduleKwargs {
  const converted: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(kwargs)) {
    const name = diskNames.get(key);
    if (name === undefined)
      throw new ScheduleError(
        `createSchedule: lr_scheduler_kwargs has an unknown key ${excerpt(key)}; expected among ${[...diskNames.keys()].join(", ")}`,
        { field: `kwargs.${key}` },
      );
    if (value === null) continue;
    expectType(name, value);
    converted[name] = value;
  }
  return converted;
}

function expectType(name: KwargName, value: unknown): void {
  const type = types[name];
  const fits =
    type === "number"
      ? typeof value === "number" && Number.isFinite(value)
      : type === "boolean"
        ? typeof value === "boolean"
        : type.includes(value as string);
  if (fits) return;
  const expected = type === "number" ? "a number" : type === "boolean" ? "true or false" : `one of ${type.join(", ")}`;
  throw new ScheduleError(
    { operation: "createSchedule", problem: `{${name}} is not usable`, expected, got: excerpt(value), fields: [name] },
    { field: `kwargs.${name}` },
  );
}
