import { curves, type Curve, type ScheduleKwargs } from "./curves.js";
import { ScheduleError } from "./errors.js";
import { warmupUpdateCount } from "./warmup.js";

/** transformers' names of schedules (`lr_scheduler_type`). */
export type ScheduleName =
  | "linear"
  | "cosine"
  | "cosine_with_restarts"
  | "cosine_with_min_lr"
  | "polynomial"
  | "constant"
  | "constant_with_warmup"
  | "inverse_sqrt";

/** Every name `createSchedule` knows. */
export const scheduleNames: readonly ScheduleName[] = Object.keys(curves) as ScheduleName[];

export interface ScheduleOptions {
  name: ScheduleName;
  /** The rate that every λ multiplies. */
  learningRate: number;
  /** Updates of the whole run, N. */
  numTrainingSteps: number;
  /** Updates, or a ratio of the run when below 1 (rounded up to whole updates). Default 0. */
  warmupSteps?: number;
  kwargs?: ScheduleKwargs;
}

export interface Schedule {
  readonly name: ScheduleName;
  /** Warm-up in whole updates, W. */
  readonly numWarmupUpdates: number;
  /** Learning rate of the update made after `updateIndex` optimiser steps: 0 for the first update, N − 1 for the last. */
  rate(updateIndex: number): number;
}

/**
 * A learning-rate schedule, as transformers' `get_scheduler` computes it.
 *
 *   rate(s) = learningRate · λ(s),  λ(s) = s / max(1, W) while s < W, then the curve of `name`
 *
 * With any warm-up the first update has rate 0. A stateless function of the index: a resumed run asks for the
 * same indices, and updates that a loss scaler skipped are simply not counted.
 *
 * Throws ScheduleError for an unknown name, a kwarg the schedule does not take, and values out of range.
 *
 * @see transformers 5, optimization.py
 */
export function createSchedule(options: ScheduleOptions): Schedule {
  const { name, learningRate, numTrainingSteps, warmupSteps = 0, kwargs = {} } = options;
  const curve = curveNamed(name);
  expectNumber("learningRate", learningRate, learningRate >= 0, "a number ≥ 0");
  expectNumber(
    "numTrainingSteps",
    numTrainingSteps,
    Number.isInteger(numTrainingSteps) && numTrainingSteps > 0,
    "a whole number of updates above 0",
  );
  expectKwargs(name, curve, kwargs);
  const numWarmupUpdates = warmupUpdateCount(warmupSteps, numTrainingSteps);
  const multiplier = curve.multiplier({ learningRate, numTrainingSteps, numWarmupUpdates }, kwargs);
  return {
    name,
    numWarmupUpdates,
    rate(updateIndex: number): number {
      if (curve.warmsUp && updateIndex < numWarmupUpdates) return learningRate * (updateIndex / Math.max(1, numWarmupUpdates));
      return learningRate * multiplier(updateIndex);
    },
  };
}

/** `lr_scheduler_kwargs` as a config file spells them (`num_cycles`) → `ScheduleKwargs`. Throws ScheduleError for an unknown key. */
export function scheduleKwargsFromDisk(kwargs: Readonly<Record<string, unknown>>): ScheduleKwargs {
  const converted: ScheduleKwargs = {};
  for (const [key, value] of Object.entries(kwargs)) {
    const name = diskNames[key];
    if (name === undefined)
      throw new ScheduleError(
        `createSchedule: lr_scheduler_kwargs has an unknown key "${key}"; expected among ${Object.keys(diskNames).join(", ")}`,
        { field: `kwargs.${key}` },
      );
    if (value === null) continue;
    expectNumber(`kwargs.${key}`, value, true, "a number");
    converted[name] = value as number;
  }
  return converted;
}

const diskNames: Readonly<Record<string, keyof ScheduleKwargs>> = {
  num_cycles: "numCycles",
  power: "power",
  lr_end: "lrEnd",
  min_lr: "minLr",
  min_lr_rate: "minLrRate",
};

function curveNamed(name: string): Curve {
  if (!Object.hasOwn(curves, name))
    throw new ScheduleError(`createSchedule: there is no schedule "${name}"; expected one of ${scheduleNames.join(", ")}`, {
      field: "name",
    });
  return curves[name as ScheduleName];
}

function expectKwargs(name: string, curve: Curve, kwargs: ScheduleKwargs): void {
  for (const [key, value] of Object.entries(kwargs)) {
    if (value === undefined) continue;
    if (!curve.kwargs.includes(key as keyof ScheduleKwargs))
      throw new ScheduleError(
        `createSchedule: ${name} takes no argument "${key}"; expected ${curve.kwargs.length === 0 ? "none" : `among ${curve.kwargs.join(", ")}`}`,
        { field: `kwargs.${key}` },
      );
    expectNumber(`kwargs.${key}`, value, true, "a number");
  }
}

function expectNumber(field: string, value: unknown, holds: boolean, expected: string): void {
  if (typeof value !== "number" || !Number.isFinite(value) || !holds)
    throw new ScheduleError(
      `createSchedule: ${field} is out of range; expected ${expected}, got ${JSON.stringify(value) ?? String(value)}`,
      { field },
    );
}
