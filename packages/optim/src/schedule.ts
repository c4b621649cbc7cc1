import { excerpt } from "@kto/core";
import { curves, type Curve, type CurveName } from "./curves.js";
import { ScheduleError } from "./errors.js";
import { metricSchedules } from "./follow-metric.js";
import { expectKwargs, type ScheduleKwargs } from "./kwargs.js";
import { warmupUpdateCount } from "./warmup.js";

/** Schedules that follow a metric of the evaluation. */
export type MetricScheduleName = keyof typeof metricSchedules;

/** transformers' names of schedules (`lr_scheduler_type`). */
export type ScheduleName = CurveName | MetricScheduleName;

/** Every name `createSchedule` knows. */
export const scheduleNames: readonly ScheduleName[] = [...Object.keys(curves), ...Object.keys(metricSchedules)] as ScheduleName[];

/** True for a schedule that is told a metric of each evaluation. */
export function followsMetric(name: string): name is MetricScheduleName {
  return Object.hasOwn(metricSchedules, name);
}

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
  /** Warm-up in whole updates, W; 0 for schedules that follow a metric, which have none. */
  readonly numWarmupUpdates: number;
  /** Learning rate of the update made after `updateIndex` optimiser steps: 0 for the first update, N − 1 for the last. */
  rate(updateIndex: number): number;
  /** Of a schedule that follows a metric: takes its value after an evaluation, for the updates to come. A resumed run tells it all of them again. */
  readonly observe?: ((metric: number) => void) | undefined;
}

/**
 * A learning-rate schedule, as transformers' `get_scheduler` computes it.
 *
 *   rate(s) = learningRate · λ(s),  λ(s) = s / max(1, W) while s < W, then the curve of `name`
 *
 * With any warm-up the first update has rate 0. A stateless function of the index: a resumed run asks for the
 * same indices, and updates that a loss scaler skipped are simply not counted. `reduce_lr_on_plateau` and `greedy` have the rate that comes of the metrics
 * they were told.
 *
 * Throws ScheduleError for an unknown name, a kwarg the schedule does not take, and values out of range.
 *
 * @see transformers 5, optimization.py
 */
export function createSchedule(options: ScheduleOptions): Schedule {
  const { name, learningRate, numTrainingSteps, warmupSteps = 0, kwargs = {} } = options;
  if (!scheduleNames.includes(name))
    throw new ScheduleError(`createSchedule: there is no schedule ${excerpt(name)}; expected one of ${scheduleNames.join(", ")}`, {
      field: "name",
    });
  expectNumber("learningRate", learningRate, learningRate >= 0, "a number ≥ 0");
  expectNumber(
    "numTrainingSteps",
    numTrainingSteps,
    Number.isInteger(numTrainingSteps) && numTrainingSteps > 0,
    "a whole number of updates above 0",
  );
  const numWarmupUpdates = warmupUpdateCount(warmupSteps, numTrainingSteps);
  if (followsMetric(name)) {
    const { kwargs: taken, start } = metricSchedules[name];
    expectKwargs(name, taken, kwargs);
    const followed = start(learningRate, kwargs);
    return { name, numWarmupUpdates: 0, rate: () => followed.rate, observe: (metric) => followed.observe(metric) };
  }
  const curve: Curve = curves[name];
  expectKwargs(name, curve.kwargs, kwargs);
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

function expectNumber(field: string, value: unknown, holds: boolean, expected: string): void {
  if (typeof value !== "number" || !Number.isFinite(value) || !holds)
    throw new ScheduleError(`createSchedule: ${field} is out of range; expected ${expected}, got ${excerpt(value)}`, { field });
}
