import { createSchedule } from "@kto/optim";
import { describe, expect, test } from "vitest";
import { ktoConfig } from "../config/kto-config.js";
import { dueAfter, epochAfter, microBatchesOfUpdate, planRun } from "./run-plan.js";

describe("the tutorial's arithmetic", () => {
  const args = ktoConfig({
    perDeviceTrainBatchSize: 4,
    gradientAccumulationSteps: 2,
    numTrainEpochs: 1,
    learningRate: 5e-7,
    lrSchedulerType: "cosine",
    warmupSteps: 0.1,
  });
  const plan = planRun(1000, args);
  const schedule = createSchedule({
    name: "cosine",
    learningRate: args.learningRate,
    numTrainingSteps: plan.totalUpdates,
    warmupSteps: args.warmupSteps,
  });

  test("1,000 rows are 250 micro-batches, 125 updates of 8 rows, 13 of them warm-up", () => {
    expect(plan).toMatchObject({ microBatchesPerEpoch: 250, totalUpdates: 125, rowsPerUpdate: 8, numEpochs: 1 });
    expect(schedule.numWarmupUpdates).toBe(13);
  });

  test.each([
    [1, 0],
    [2, 3.846153846e-8],
    [13, 4.615384615e-7],
    [14, 5e-7],
    [50, 3.830080191e-7],
    [70, 2.5e-7],
    [124, 3.932962455e-10],
    [125, 9.834340424e-11],
  ])("update %i has learning rate %d", (update, rate) => expect(schedule.rate(update - 1)).toBeCloseTo(rate, 16));

  test("the rates add up to 3.125e-5", () => {
    const sum = Array.from({ length: 125 }, (_, update) => schedule.rate(update)).reduce((total, rate) => total + rate, 0);
    expect(sum).toBeCloseTo(3.125e-5, 15);
  });
});

describe("planRun", () => {
  test("a short last window of an epoch is an update of its own, and epochs may be fractional", () => {
    const args = ktoConfig({ perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2, numTrainEpochs: 1.5 });
    const plan = planRun(18, args); // 5 micro-batches, 3 updates an epoch
    expect(plan).toMatchObject({ microBatchesPerEpoch: 5, updatesPerEpoch: 3, totalUpdates: 5, numEpochs: 2 });
    expect(microBatchesOfUpdate(2, plan, args)).toEqual([{ start: 16, end: 18 }]);
    expect(microBatchesOfUpdate(3, plan, args)).toEqual([
      { start: 0, end: 4 },
      { start: 4, end: 8 },
    ]);
    expect(epochAfter(2, plan, args)).toBe(0.8);
    expect(epochAfter(3, plan, args)).toBe(1);
    expect(epochAfter(4, plan, args)).toBe(1.4);
  });

  test("max_steps overrides epochs", () => {
    expect(planRun(18, ktoConfig({ perDeviceTrainBatchSize: 4, maxSteps: 20 }))).toMatchObject({ totalUpdates: 20, numEpochs: 4 });
  });
});

describe("ktoConfig", () => {
  test.each([
    [{ perDeviceTrainBatchSize: 0 }, /perDeviceTrainBatchSize is not usable; expected an integer of at least 1, got 0/],
    [{ perDeviceTrainBatchSize: 1 }, /too small for the loss kto/],
    [{ beta: "much" }, /beta is not usable; expected a number above 0, got "much"/],
    [{ lossScale: 3 }, /lossScale is not usable; expected a power of two/],
    [{ betta: 0.1 }, /no field "betta"/],
  ])("refuses %j", (options, message) => expect(() => ktoConfig(options as never)).toThrow(message));

  test("its defaults are trl's, but for checkpointing as memory asks", () => {
    expect(ktoConfig()).toMatchObject({
      beta: 0.1,
      learningRate: 1e-6,
      maxLength: 1024,
      perDeviceTrainBatchSize: 8,
      numTrainEpochs: 3,
      gradientCheckpointing: "auto",
      loggingSteps: 10,
    });
  });
});

describe("what comes after an update", () => {
  const stepsOf = (field: "log" | "evaluate" | "save", given: Parameters<typeof ktoConfig>[0]): number[] => {
    const args = ktoConfig({ perDeviceTrainBatchSize: 4, numTrainEpochs: 2, ...given });
    const plan = planRun(28, args); // 7 updates an epoch
    return Array.from({ length: plan.totalUpdates }, (_, index) => index + 1).filter((step) => dueAfter(step, plan, args)[field]);
  };

  test("by steps, by epochs, or never; a run ends with an evaluation and a checkpoint, as transformers 5.24 does", () => {
    expect(stepsOf("log", { loggingSteps: 5 })).toEqual([5, 10]);
    expect(stepsOf("log", { loggingSteps: 5, loggingFirstStep: true })).toEqual([1, 5, 10]);
    expect(stepsOf("log", { loggingStrategy: "epoch" })).toEqual([7, 14]);
    expect(stepsOf("log", { loggingStrategy: "no", loggingFirstStep: true })).toEqual([]);
    expect(stepsOf("evaluate", { evalStrategy: "steps", loggingSteps: 6 })).toEqual([6, 12, 14]);
    expect(stepsOf("evaluate", { evalStrategy: "no", loggingSteps: 6 })).toEqual([]);
    expect(stepsOf("evaluate", { evalStrategy: "epoch", maxSteps: 10 })).toEqual([7, 10]);
    expect(stepsOf("save", { saveSteps: 6 })).toEqual([6, 12, 14]);
    expect(stepsOf("save", { saveStrategy: "epoch", maxSteps: 10 })).toEqual([7, 10]);
    expect(stepsOf("save", { saveStrategy: "no" })).toEqual([]);
    expect(stepsOf("save", { saveStrategy: "best", evalStrategy: "epoch", saveSteps: 1 })).toEqual([]); // an evaluation tells
  });
});
