import type { ScheduleName } from "./schedule.js";
import { ScheduleError } from "./errors.js";

/** What a curve may depend on. `numWarmupUpdates` is already a whole number. */
export interface CurveContext {
  readonly learningRate: number;
  readonly numTrainingSteps: number;
  readonly numWarmupUpdates: number;
}

/** The arguments some schedules take; transformers' `lr_scheduler_kwargs` in camelCase. */
export interface ScheduleKwargs {
  /** `cosine`, `cosine_with_min_lr`: waves, 0.5 (half a wave). `cosine_with_restarts`: hard restarts, 1. */
  numCycles?: number;
  /** `polynomial`: exponent, 1. */
  power?: number;
  /** `polynomial`: rate at the end, 1e-7; below the learning rate. */
  lrEnd?: number;
  /** `cosine_with_min_lr`: rate at the end; this or `minLrRate`. */
  minLr?: number;
  /** `cosine_with_min_lr`: rate at the end as a share of the learning rate. */
  minLrRate?: number;
}

/** λ(updateIndex): the factor on the learning rate after warm-up. */
export type Multiplier = (updateIndex: number) => number;

/** One schedule: the kwargs it takes, whether it warms up, and its multiplier λ. */
export interface Curve {
  readonly kwargs: readonly (keyof ScheduleKwargs)[];
  readonly warmsUp: boolean;
  multiplier(context: CurveContext, kwargs: ScheduleKwargs): Multiplier;
}

/** Progress after warm-up: 0 at update index W, 1 at N.  (s − W) / max(1, N − W) */
function progressOf({ numTrainingSteps, numWarmupUpdates }: CurveContext): Multiplier {
  const decayUpdates = Math.max(1, numTrainingSteps - numWarmupUpdates);
  return (updateIndex) => (updateIndex - numWarmupUpdates) / decayUpdates;
}

/** λ = 1 */
const flat = (): Multiplier => () => 1;

/** λ = max(0, (N − s) / max(1, N − W)) */
function linear({ numTrainingSteps, numWarmupUpdates }: CurveContext): Multiplier {
  const decayUpdates = Math.max(1, numTrainingSteps - numWarmupUpdates);
  return (updateIndex) => Math.max(0, (numTrainingSteps - updateIndex) / decayUpdates);
}

/** λ = max(0, ½ (1 + cos(2π · numCycles · progress))) */
function cosine(context: CurveContext, { numCycles = 0.5 }: ScheduleKwargs): Multiplier {
  const progress = progressOf(context);
  return (updateIndex) => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * progress(updateIndex))));
}

/** λ = ½ (1 + cos(π · frac(numCycles · progress))), and 0 from the end on */
function cosineWithRestarts(context: CurveContext, { numCycles = 1 }: ScheduleKwargs): Multiplier {
  const progress = progressOf(context);
  return (updateIndex) => {
    const done = progress(updateIndex);
    return done >= 1 ? 0 : Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((numCycles * done) % 1))));
  };
}

/** λ = m + (1 − m) · ½ (1 + cos(2π · numCycles · progress)),  m = minLrRate or minLr / learningRate */
function cosineWithMinLr(context: CurveContext, { numCycles = 0.5, minLr, minLrRate }: ScheduleKwargs): Multiplier {
  if ((minLr === undefined) === (minLrRate === undefined))
    throw new ScheduleError(
      `createSchedule: cosine_with_min_lr takes one of minLr and minLrRate; got ${minLr === undefined ? "neither" : "both"}`,
      { field: "kwargs" },
    );
  const floor = minLrRate ?? minLr! / context.learningRate;
  const progress = progressOf(context);
  return (updateIndex) => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * progress(updateIndex))) * (1 - floor) + floor);
}

/** λ = (lrEnd + (learningRate − lrEnd) · (1 − progress)^power) / learningRate, and lrEnd / learningRate past the end */
function polynomial(context: CurveContext, { lrEnd = 1e-7, power = 1 }: ScheduleKwargs): Multiplier {
  const { learningRate, numTrainingSteps } = context;
  if (!(lrEnd < learningRate))
    throw new ScheduleError(
      `createSchedule: polynomial must end below where it starts; expected lrEnd < learningRate = ${learningRate}, got ${lrEnd}; lower lrEnd`,
      { field: "kwargs.lrEnd" },
    );
  const progress = progressOf(context);
  return (updateIndex) => {
    if (updateIndex > numTrainingSteps) return lrEnd / learningRate;
    return ((learningRate - lrEnd) * (1 - progress(updateIndex)) ** power + lrEnd) / learningRate;
  };
}

/** λ = 1 / √((s + T − W) / T),  T = W, or 10,000 without warm-up */
function inverseSqrt({ numWarmupUpdates }: CurveContext): Multiplier {
  const timescale = numWarmupUpdates || 10_000;
  const shift = timescale - numWarmupUpdates;
  return (updateIndex) => 1 / Math.sqrt((updateIndex + shift) / timescale);
}

/** Every schedule by transformers' name. `s` is the update index, W the warm-up updates, N all updates. */
export const curves: Readonly<Record<ScheduleName, Curve>> = {
  linear: { kwargs: [], warmsUp: true, multiplier: linear },
  cosine: { kwargs: ["numCycles"], warmsUp: true, multiplier: cosine },
  cosine_with_restarts: { kwargs: ["numCycles"], warmsUp: true, multiplier: cosineWithRestarts },
  cosine_with_min_lr: {
    kwargs: ["numCycles", "minLr", "minLrRate"],
    warmsUp: true,
    multiplier: cosineWithMinLr,
  },
  polynomial: { kwargs: ["lrEnd", "power"], warmsUp: true, multiplier: polynomial },
  constant: { kwargs: [], warmsUp: false, multiplier: flat },
  constant_with_warmup: { kwargs: [], warmsUp: true, multiplier: flat },
  inverse_sqrt: { kwargs: [], warmsUp: true, multiplier: inverseSqrt },
};
