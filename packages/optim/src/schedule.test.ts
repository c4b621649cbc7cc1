import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  createSchedule,
  followsMetric,
  ScheduleError,
  scheduleKwargsFromDisk,
  scheduleNames,
  warmupUpdateCount,
  type ScheduleName,
} from "./index.js";

interface Case {
  lr_scheduler_type: string;
  lr_scheduler_kwargs: Record<string, unknown>;
  warmup: number;
  warmup_steps: number;
  learning_rate: number;
  total_steps: number;
  /** Of schedules that follow a metric: its value after each rate. */
  metrics?: number[];
  rates: number[];
  after_last: number;
}

const folder = new URL("../../testing/fixtures/schedule/", import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
const relativeError = (got: number, want: number): number => (got === want ? 0 : Math.abs(got - want) / Math.abs(want));

describe.each(files)("transformers' rates, %s", (file) => {
  const cases = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Case[];

  it("has cases", () => expect(cases.length).toBeGreaterThan(0));

  it.each(cases.map((one) => [`${one.lr_scheduler_type} ${JSON.stringify(one.lr_scheduler_kwargs)} warmup ${one.warmup}`, one] as const))(
    "%s",
    (_title, one) => {
      const schedule = createSchedule({
        name: one.lr_scheduler_type as ScheduleName,
        learningRate: one.learning_rate,
        numTrainingSteps: one.total_steps,
        warmupSteps: one.warmup,
        kwargs: scheduleKwargsFromDisk(one.lr_scheduler_kwargs),
      });
      expect(schedule.numWarmupUpdates).toBe(one.warmup_steps);
      expect(schedule.observe !== undefined).toBe(one.metrics !== undefined);
      const errors = [...one.rates, one.after_last].map((want, index) => {
        if (index > 0 && one.metrics) schedule.observe!(one.metrics[index - 1]!);
        return relativeError(schedule.rate(index), want);
      });
      const worst = Math.max(...errors);
      expect(worst).toBeLessThanOrEqual(1e-12);
    },
  );
});

describe("the tutorial's table (cosine, 125 updates, warm-up 0.1, 5e-7)", () => {
  const schedule = createSchedule({
    name: "cosine",
    learningRate: 5e-7,
    numTrainingSteps: 125,
    warmupSteps: 0.1,
  });

  it.each([
    [1, 0, 0],
    [2, 0.07692307692, 3.846153846e-8],
    [3, 0.1538461538, 7.692307692e-8],
    [13, 0.9230769231, 4.615384615e-7],
    [14, 1, 5e-7],
    [15, 0.9998033132, 4.999016566e-7],
    [50, 0.7660160383, 3.830080191e-7],
    [70, 0.5, 2.5e-7],
    [100, 0.1271789176, 6.358945878e-8],
    [124, 0.0007865924911, 3.932962455e-10],
    [125, 0.0001966868085, 9.834340424e-11],
  ])("update %i", (update, multiplier, rate) => {
    expect(relativeError(schedule.rate(update - 1) / 5e-7, multiplier)).toBeLessThan(1e-9);
    expect(relativeError(schedule.rate(update - 1), rate)).toBeLessThan(1e-9);
  });

  it("warms up over 13 updates, sums to 3.125e-5 and ends at 0", () => {
    expect(schedule.numWarmupUpdates).toBe(13);
    const sum = Array.from({ length: 125 }, (_, index) => schedule.rate(index)).reduce((total, rate) => total + rate, 0);
    expect(relativeError(sum, 3.125e-5)).toBeLessThan(1e-12);
    expect(schedule.rate(125)).toBe(0);
  });
});

describe("warmupUpdateCount", () => {
  it.each([
    [0, 125, 0],
    [0.1, 125, 13],
    [0.001, 125, 1],
    [1, 125, 1],
    [10, 125, 10],
    [10.7, 125, 10],
    [0.5, 3, 2],
  ])("%d of %i updates is %i", (warmupSteps, numTrainingSteps, want) =>
    expect(warmupUpdateCount(warmupSteps, numTrainingSteps)).toBe(want),
  );

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("refuses %d", (value) =>
    expect(() => warmupUpdateCount(value, 10)).toThrow(ScheduleError),
  );
});

describe("edges", () => {
  const at = (name: ScheduleName, numTrainingSteps: number, warmupSteps: number, index: number): number =>
    createSchedule({ name, learningRate: 1, numTrainingSteps, warmupSteps }).rate(index);

  it("never goes below 0 past the end", () => {
    expect(at("linear", 10, 0, 25)).toBe(0);
    expect(at("cosine_with_restarts", 10, 0, 25)).toBe(0);
  });

  it("polynomial stays at lrEnd past the end", () => expect(relativeError(at("polynomial", 10, 0, 25), 1e-7)).toBeLessThan(1e-12));

  it("a warm-up as long as the run, or longer, only climbs", () => {
    expect(at("cosine", 4, 4, 3)).toBe(0.75);
    expect(at("cosine", 4, 8, 3)).toBe(0.375);
  });

  it("minLr is minLrRate times the learning rate", () => {
    const options = {
      name: "cosine_with_min_lr",
      learningRate: 5e-7,
      numTrainingSteps: 20,
    } as const;
    const byRate = createSchedule({ ...options, kwargs: { minLrRate: 0.25 } });
    const byValue = createSchedule({ ...options, kwargs: { minLr: 1.25e-7 } });
    for (let index = 0; index <= 20; index++) expect(relativeError(byValue.rate(index), byRate.rate(index))).toBeLessThan(1e-12);
  });
});

it("knows every name of transformers 5.24's SchedulerType", () => {
  const names =
    "linear cosine cosine_with_restarts polynomial constant constant_with_warmup inverse_sqrt reduce_lr_on_plateau cosine_with_min_lr cosine_warmup_with_min_lr warmup_stable_decay greedy";
  expect(new Set<string>(scheduleNames)).toEqual(new Set(names.split(" ")));
  expect(scheduleNames.filter(followsMetric)).toEqual(["reduce_lr_on_plateau", "greedy"]);
});

describe("errors", () => {
  const make =
    (changes: object): (() => unknown) =>
    () =>
      createSchedule({ name: "linear", learningRate: 1e-3, numTrainingSteps: 10, ...changes });

  it("an unknown name lists what there is", () => {
    expect(make({ name: "cosin" })).toThrow(`createSchedule: there is no schedule "cosin"; expected one of ${scheduleNames.join(", ")}`);
    expect(make({ name: "toString" })).toThrow(ScheduleError);
  });

  it("polynomial refuses an end that is not below the learning rate", () => {
    expect(make({ name: "polynomial", learningRate: 1e-7 })).toThrow("expected lrEnd < learningRate = 1e-7, got 1e-7");
    expect(make({ name: "polynomial", kwargs: { lrEnd: 1e-2 } })).toThrow(ScheduleError);
  });

  it.each([
    [{ learningRate: -1 }, "learningRate"],
    [{ learningRate: Number.NaN }, "learningRate"],
    [{ numTrainingSteps: 0 }, "numTrainingSteps"],
    [{ numTrainingSteps: 2.5 }, "numTrainingSteps"],
    [{ warmupSteps: -0.1 }, "warmupSteps"],
    [{ kwargs: { power: 2 } }, "kwargs.power"],
    [{ name: "cosine", kwargs: { numCycles: "2" } }, "kwargs.numCycles"],
    [{ name: "cosine_with_min_lr" }, "kwargs"],
    [{ name: "cosine_with_min_lr", kwargs: { minLr: 0, minLrRate: 0 } }, "kwargs"],
    [{ name: "cosine_warmup_with_min_lr" }, "kwargs"],
    [{ name: "warmup_stable_decay" }, "kwargs.numDecaySteps"],
    [{ name: "warmup_stable_decay", kwargs: { numDecaySteps: 2, warmupType: "sine" } }, "kwargs.warmupType"],
    [{ name: "warmup_stable_decay", kwargs: { numDecaySteps: 2, minLr: 0 } }, "kwargs.minLr"],
    [{ name: "reduce_lr_on_plateau", kwargs: { factor: 1 } }, "kwargs.factor"],
    [{ name: "reduce_lr_on_plateau", kwargs: { warmup: 1 } }, "kwargs.warmup"],
    [{ name: "greedy", kwargs: { mode: "least" } }, "kwargs.mode"],
    [{ name: "greedy", kwargs: { smooth: 1 } }, "kwargs.smooth"],
    [{ name: "greedy", kwargs: { minLr: [0, 1] } }, "kwargs.minLr"],
  ])("%j names %s", (changes, field) => {
    expect(make(changes)).toThrow(expect.objectContaining({ code: "SCHEDULE", field }) as Error);
  });

  it("a key of lr_scheduler_kwargs that nobody takes", () => {
    expect(() => scheduleKwargsFromDisk({ num_cycle: 1 })).toThrow(
      'unknown key "num_cycle"; expected among num_cycles, power, lr_end, min_lr, min_lr_rate, warmup_lr_rate, timescale,',
    );
    expect(() => scheduleKwargsFromDisk({ decay_type: { toString: null } })).toThrow(/decayType is not usable; expected one of linear/);
  });
});
