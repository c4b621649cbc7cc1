import { ScheduleError } from "./errors.js";
import type { KwargName, ScheduleKwargs } from "./kwargs.js";

/** A rate that changes with what is told of a metric after each evaluation. */
export interface MetricRate {
  /** The rate now. */
  readonly rate: number;
  /** Takes the metric of an evaluation. */
  observe(metric: number): void;
}

/** A schedule that follows a metric: the kwargs it takes, and what makes its rate. */
export interface MetricSchedule {
  readonly kwargs: readonly KwargName[];
  start(learningRate: number, kwargs: ScheduleKwargs): MetricRate;
}

/** What is better than the best so far. */
function isBetterBy({ mode, threshold, thresholdMode }: Required<Pick<ScheduleKwargs, "mode" | "threshold" | "thresholdMode">>) {
  return (metric: number, best: number): boolean => {
    if (mode === "min") return metric < (thresholdMode === "rel" ? best * (1 - threshold) : best - threshold);
    return metric > (thresholdMode === "rel" ? best * (1 + threshold) : best + threshold);
  };
}

function expectFactor(name: string, factor: number): void {
  if (factor >= 1)
    throw new ScheduleError(`createSchedule: ${name} must lower the rate; expected factor below 1, got ${factor}`, {
      field: "kwargs.factor",
    });
}

/** The rate falls by `factor` after more than `patience` evaluations in a row without a better metric. @see torch.optim.lr_scheduler.ReduceLROnPlateau */
function reduceOnPlateau(learningRate: number, kwargs: ScheduleKwargs): MetricRate {
  const {
    mode = "min",
    factor = 0.1,
    patience = 10,
    threshold = 1e-4,
    thresholdMode = "rel",
    cooldown = 0,
    minLr = 0,
    eps = 1e-8,
  } = kwargs;
  expectFactor("reduce_lr_on_plateau", factor);
  const isBetter = isBetterBy({ mode, threshold, thresholdMode });
  let rate = learningRate;
  let best = mode === "min" ? Infinity : -Infinity;
  let [numBad, coolingLeft] = [0, 0];
  return {
    get rate() {
      return rate;
    },
    observe(metric) {
      if (isBetter(metric, best)) [best, numBad] = [metric, 0];
      else numBad++;
      if (coolingLeft > 0) {
        coolingLeft--;
        numBad = 0;
      }
      if (numBad <= patience) return;
      const lower = Math.max(rate * factor, minLr);
      if (rate - lower > eps) rate = lower;
      [coolingLeft, numBad] = [cooldown, 0];
    },
  };
}

/**
 * The rate rises by 1 / `factor` after more than `patience` better metrics in a row, and falls by `factor` after as many that are not; after
 * `resetStart` falls at the lowest rate it begins anew. @see transformers 5.24, GreedyLR; arXiv 2512.14527
 */
function greedy(learningRate: number, kwargs: ScheduleKwargs): MetricRate {
  const { mode = "min", factor = 0.95, patience = 10, threshold = 1e-6, thresholdMode = "abs", cooldown = 0, warmup = 0 } = kwargs;
  const { minLr = 1e-3, maxLr = 1, eps = 1e-8, smooth = false, windowSize = 50, resetStart = 500 } = kwargs;
  expectFactor("greedy", factor);
  const isBetter = isBetterBy({ mode, threshold, thresholdMode });
  const worst = mode === "min" ? Infinity : -Infinity;
  let rate = learningRate;
  let best = worst;
  let [numGood, numBad, coolingLeft, warmingLeft, fallsLeft] = [0, 0, 0, 0, resetStart];
  let mean = runningMean(windowSize);
  const rise = (): void => {
    const higher = Math.min(rate / factor, maxLr);
    if (higher - rate > eps) rate = higher;
    fallsLeft = resetStart;
  };
  const fall = (): void => {
    const lower = Math.max(rate * factor, minLr);
    if (rate - lower > eps) rate = lower;
    if (rate > minLr || --fallsLeft > 0) return;
    [rate, best, fallsLeft] = [learningRate, worst, resetStart];
    [numGood, numBad, coolingLeft, warmingLeft] = [0, 0, 0, 0];
    mean = runningMean(windowSize);
  };
  return {
    get rate() {
      return rate;
    },
    observe(metric) {
      const current = smooth ? mean(metric) : metric;
      if (coolingLeft > 0 || warmingLeft > 0) {
        if (coolingLeft > 0) coolingLeft--;
        else warmingLeft--;
        [numGood, numBad] = [0, 0];
        return;
      }
      if (isBetter(current, best)) {
        best = current;
        [numGood, numBad] = [numGood + 1, 0];
      } else [numGood, numBad] = [0, numBad + 1];
      if (numGood > patience) {
        rise();
        [warmingLeft, numGood] = [warmup, 0];
      } else if (numBad > patience) {
        fall();
        [coolingLeft, numBad] = [cooldown, 0];
      }
    },
  };
}

/** The mean of the last `size` numbers, whose sum is carried on, as transformers rounds it. */
function runningMean(size: number): (value: number) => number {
  const values: number[] = [];
  let sum = 0;
  return (value) => {
    values.push(value);
    sum += value;
    if (values.length > size) sum -= values.shift()!;
    return sum / values.length;
  };
}

const shared = ["mode", "factor", "patience", "threshold", "thresholdMode", "cooldown", "minLr", "eps"] as const;

/** Schedules that follow a metric, by transformers' name. */
export const metricSchedules: Readonly<Record<"reduce_lr_on_plateau" | "greedy", MetricSchedule>> = {
  reduce_lr_on_plateau: { kwargs: shared, start: reduceOnPlateau },
  greedy: { kwargs: [...shared, "warmup", "maxLr", "smooth", "windowSize", "resetStart", "verbose"], start: greedy },
};
