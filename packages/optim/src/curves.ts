import { ScheduleError } from "./errors.js";
import type { KwargName, ScheduleKwargs } from "./kwargs.js";

/** What a curve may depend on. `numWarmupUpdates` is already a whole number. */
export interface CurveContext {
  readonly learningRate: number;
  readonly numTrainingSteps: number;
  readonly numWarmupUpdates: number;
}

/** λ(updateIndex): the factor on the learning rate, after warm-up where the curve leaves that to the schedule. */
export type Multiplier = (updateIndex: number) => number;

/** One schedule: the kwargs it takes, whether it warms up as most do (λ = s / max(1, W)), and its multiplier λ. */
export interface Curve {
  readonly kwargs: readonly KwargName[];
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

/** The lowest multiplier: minLrRate or minLr / learningRate. */
function floorOf(name: string, { learningRate }: CurveContext, { minLr, minLrRate }: ScheduleKwargs): number {
  if ((minLr === undefined) === (minLrRate === undefined))
    throw new ScheduleError(
      {
        operation: "createSchedule",
        problem: `${name} takes one of {minLr} and {minLrRate}`,
        got: minLr === undefined ? "neither" : "both",
        fields: ["minLr", "minLrRate"],
      },
      { field: "kwargs" },
    );
  return minLrRate ?? minLr! / learningRate;
}

/** λ = m + (1 − m) · ½ (1 + cos(2π · numCycles · progress)),  m = minLrRate or minLr / learningRate */
function cosineWithMinLr(context: CurveContext, kwargs: ScheduleKwargs): Multiplier {
  const { numCycles = 0.5 } = kwargs;
  const floor = floorOf("cosine_with_min_lr", context, kwargs);
  const progress = progressOf(context);
  return (updateIndex) => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * progress(updateIndex))) * (1 - floor) + floor);
}

/**
 * λ = (s + 1) / max(1, W) in the warm-up, or u + (1 − u) · s / max(1, W − 1) with u = warmupLrRate; after it that of `cosine_with_min_lr`, one update on:
 * progress = (s − W + 1) / max(1, N − W)
 */
function cosineWarmupWithMinLr(context: CurveContext, kwargs: ScheduleKwargs): Multiplier {
  const { numCycles = 0.5, warmupLrRate: first } = kwargs;
  const floor = floorOf("cosine_warmup_with_min_lr", context, kwargs);
  const { numWarmupUpdates, numTrainingSteps } = context;
  return (updateIndex) => {
    if (updateIndex < numWarmupUpdates)
      return first === undefined
        ? (updateIndex + 1) / Math.max(1, numWarmupUpdates)
        : first + ((1 - first) * updateIndex) / Math.max(1, numWarmupUpdates - 1);
    const progress = (updateIndex - numWarmupUpdates + 1) / Math.max(1, numTrainingSteps - numWarmupUpdates);
    return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * progress)) * (1 - floor) + floor);
  };
}

/** Rises from m to 1 over W updates, stays there, falls to m over `numDecaySteps`, and stays there;  m = minLrRatio */
function warmupStableDecay({ numTrainingSteps, numWarmupUpdates }: CurveContext, kwargs: ScheduleKwargs): Multiplier {
  const { numDecaySteps, warmupType = "linear", decayType = "cosine", minLrRatio: floor = 0, numCycles = 0.5 } = kwargs;
  if (numDecaySteps === undefined)
    throw new ScheduleError(
      {
        operation: "createSchedule",
        problem: "warmup_stable_decay has to be told how it ends",
        expected: "{numDecaySteps}, the updates of its fall",
        got: "none",
        fields: ["numDecaySteps"],
      },
      { field: "kwargs.numDecaySteps" },
    );
  const numStableSteps = kwargs.numStableSteps ?? numTrainingSteps - numWarmupUpdates - numDecaySteps;
  const above = (factor: number): number => Math.max(0, factor * (1 - floor) + floor);
  const rise = {
    linear: (t: number) => t,
    cosine: (t: number) => 0.5 * (1 - Math.cos(Math.PI * t)),
    "1-sqrt": (t: number) => 1 - Math.sqrt(1 - t),
  };
  const fall = {
    linear: (t: number) => 1 - t,
    cosine: (t: number) => 0.5 * (1 + Math.cos(Math.PI * numCycles * 2 * t)),
    "1-sqrt": (t: number) => 1 - Math.sqrt(t),
  };
  return (updateIndex) => {
    if (updateIndex < numWarmupUpdates) return above(rise[warmupType](updateIndex / Math.max(1, numWarmupUpdates)));
    const afterStable = updateIndex - numWarmupUpdates - numStableSteps;
    if (afterStable < 0) return 1;
    return afterStable < numDecaySteps ? above(fall[decayType](afterStable / Math.max(1, numDecaySteps))) : floor;
  };
}

/** λ = (lrEnd + (learningRate − lrEnd) · (1 − progress)^power) / learningRate, and lrEnd / learningRate past the end */
function polynomial(context: CurveContext, { lrEnd = 1e-7, power = 1 }: ScheduleKwargs): Multiplier {
  const { learningRate, numTrainingSteps } = context;
  if (!(lrEnd < learningRate))
    throw new ScheduleError(
      {
        operation: "createSchedule",
        problem: "polynomial must end below where it starts",
        expected: `{lrEnd} < {learningRate} = ${learningRate}`,
        got: String(lrEnd),
        advice: "lower {lrEnd}",
        fields: ["lrEnd", "learningRate"],
      },
      { field: "kwargs.lrEnd" },
    );
  const progress = progressOf(context);
  return (updateIndex) => {
    if (updateIndex > numTrainingSteps) return lrEnd / learningRate;
    return ((learningRate - lrEnd) * (1 - progress(updateIndex)) ** power + lrEnd) / learningRate;
  };
}

/** λ = 1 / √((s + T − W) / T),  T = timescale: by default W, or 10,000 without warm-up */
function inverseSqrt({ numWarmupUpdates }: CurveContext, { timescale = numWarmupUpdates || 10_000 }: ScheduleKwargs): Multiplier {
  const shift = timescale - numWarmupUpdates;
  return (updateIndex) => 1 / Math.sqrt((updateIndex + shift) / timescale);
}

/** Names of the schedules that are functions of the update. */
export type CurveName =
  | "linear"
  | "cosine"
  | "cosine_with_restarts"
  | "cosine_with_min_lr"
  | "polynomial"
  | "constant"
  | "constant_with_warmup"
  | "inverse_sqrt"
  | "cosine_warmup_with_min_lr"
  | "warmup_stable_decay";

/** Every schedule that is a function of the update, by transformers' name. `s` is the update index, W the warm-up updates, N all updates. */
export const curves: Readonly<Record<CurveName, Curve>> = {
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
  inverse_sqrt: { kwargs: ["timescale"], warmsUp: true, multiplier: inverseSqrt },
  cosine_warmup_with_min_lr: {
    kwargs: ["numCycles", "minLr", "minLrRate", "warmupLrRate"],
    warmsUp: false,
    multiplier: cosineWarmupWithMinLr,
  },
  warmup_stable_decay: {
    kwargs: ["numDecaySteps", "numStableSteps", "warmupType", "decayType", "minLrRatio", "numCycles"],
    warmsUp: false,
    multiplier: warmupStableDecay,
  },
};
