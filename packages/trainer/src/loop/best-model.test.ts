import { describe, expect, test } from "vitest";
import { trainingConfig, type TrainingConfig } from "./training-config.js";
import { checkpointsToRemove, followedMetric, freshBest, resumedBest, weighEvaluation } from "./best-model.js";

const followed = (given: Partial<TrainingConfig>): ReturnType<typeof followedMetric> =>
  followedMetric(trainingConfig({ evalStrategy: "epoch", saveStrategy: "epoch", ...given }));

describe("the metric that a run goes by", () => {
  test.each<[Partial<TrainingConfig>, name: string | undefined, isGreaterBetter?: boolean]>([
    [{}, undefined],
    [{ loadBestModelAtEnd: true }, "eval_loss", false],
    [{ earlyStoppingPatience: 2 }, "eval_loss", false],
    [{ saveStrategy: "best" }, "eval_loss", false],
    [{ lrSchedulerType: "reduce_lr_on_plateau" }, "eval_loss", false],
    [{ metricForBestModel: "rewards/margins" }, "eval_rewards/margins", true],
    [{ metricForBestModel: "eval_rewards/accuracies" }, "eval_rewards/accuracies", true],
    [{ metricForBestModel: "eval_nll_loss" }, "eval_nll_loss", false],
    [{ metricForBestModel: "kl", greaterIsBetter: false }, "eval_kl", false],
    [{ metricForBestModel: "loss", greaterIsBetter: true }, "eval_loss", true],
  ])("%j: %s", (given, name, isGreaterBetter) => {
    expect(followed(given)).toEqual(name === undefined ? undefined : { name, isGreaterBetter });
  });
});

describe("evaluations in a row", () => {
  /** The state after each, as transformers 5.24 keeps it: best metric and step, patience counter; and whether it is a new best, and the end. */
  const after = (values: readonly number[], given: Partial<TrainingConfig>, isGreaterBetter: boolean): unknown[] => {
    const args = trainingConfig({ evalStrategy: "epoch", ...given });
    const best = freshBest();
    return values.map((value, index) => {
      const { isNewBest, stops } = weighEvaluation(best, value, { args, isGreaterBetter, step: index + 1 });
      return [best.metric, best.globalStep, best.patienceCounter, isNewBest, stops];
    });
  };

  test("the least loss, and an end after two without progress", () => {
    expect(after([0.5, 0.4, 0.4, 0.45, 0.3], { earlyStoppingPatience: 2 }, false)).toEqual([
      [0.5, 1, 0, true, false],
      [0.4, 2, 0, true, false],
      [0.4, 2, 1, false, false],
      [0.4, 2, 2, false, true],
      [0.3, 5, 0, true, false],
    ]);
  });

  test("what is better by no more than the threshold is the best, and no progress", () => {
    expect(after([1, 1.25, 1.5, 2.5], { earlyStoppingPatience: 2, earlyStoppingThreshold: 0.25 }, true)).toEqual([
      [1, 1, 0, true, false],
      [1.25, 2, 1, true, false],
      [1.5, 3, 2, true, true],
      [2.5, 4, 0, true, false],
    ]);
  });

  test("NaN is neither; without checkpoints there is a best metric and no step; without patience no end", () => {
    expect(after([NaN, NaN, 2, NaN], { saveStrategy: "no" }, true)).toEqual([
      [null, null, 1, false, false],
      [null, null, 2, false, false],
      [2, null, 0, true, false],
      [2, null, 1, false, false],
    ]);
  });
});

test("a run that goes on keeps the best of the same metric, and its checkpoint where that is still there", () => {
  const best = { metric: 0.4, globalStep: 2, checkpoint: "checkpoint-2", patienceCounter: 1 };
  const args = trainingConfig({ evalStrategy: "epoch", earlyStoppingPatience: 3 });
  const names = ["checkpoint-2", "checkpoint-3"];
  const resumed = (now: Partial<TrainingConfig>, there: readonly string[] = names): unknown =>
    resumedBest(best, { args: { ...args, ...now }, settings: { args: { ...args } }, names: there });
  expect(resumed({})).toEqual(best);
  expect(resumed({ earlyStoppingPatience: 5, metricForBestModel: "eval_loss" })).toEqual(best);
  expect(resumed({}, ["checkpoint-3"])).toEqual({ ...best, checkpoint: null });
  expect(resumed({ metricForBestModel: "rewards/margins" })).toEqual(freshBest());
  expect(resumed({ greaterIsBetter: true })).toEqual(freshBest());
});

test("the oldest checkpoints go, never the newest nor the best", () => {
  const names = [1, 2, 3, 4, 5].map((step) => `checkpoint-${step}`);
  const gone = (limit: number | null, best: number | null): number[] =>
    checkpointsToRemove(names, limit, best === null ? null : `checkpoint-${best}`).map((name) => Number(name.slice(11)));
  expect(gone(null, 2)).toEqual([]);
  expect(gone(5, 2)).toEqual([]);
  expect(gone(3, null)).toEqual([1, 2]);
  expect(gone(3, 1)).toEqual([2, 3]);
  expect(gone(2, 5)).toEqual([1, 2, 3]);
  expect(gone(1, 2)).toEqual([1, 3, 4]); // two stay: the best, and the newest to go on from
  expect(gone(1, null)).toEqual([1, 2, 3, 4]);
  expect(gone(1, 9)).toEqual([1, 2, 3, 4]); // one that is not there is not counted
});

describe("arguments that do not go together are refused", () => {
  test.each<[Partial<TrainingConfig>, RegExp]>([
    [
      { loadBestModelAtEnd: true },
      /^trainingConfig: loadBestModelAtEnd.* the best model is chosen by an evaluation, and there is none; .*evalStrategy/,
    ],
    [{ loadBestModelAtEnd: true, saveStrategy: "no" }, /chosen by an evaluation/],
    [{ loadBestModelAtEnd: true, evalStrategy: "epoch" }, /saveStrategy to be the same as evalStrategy, or best, got steps and epoch/],
    [{ loadBestModelAtEnd: true, evalStrategy: "steps", saveStrategy: "no" }, /got no and steps/],
    [
      { loadBestModelAtEnd: true, evalStrategy: "steps", evalSteps: 4, saveSteps: 6 },
      /saveSteps to be a multiple of evalSteps, 4, got 6; set them to the same number/,
    ],
    [{ loadBestModelAtEnd: true, evalStrategy: "steps", loggingSteps: 3 }, /a multiple of evalSteps, 3, got 500/],
    [{ saveStrategy: "best" }, /best is told by an evaluation, and there is none/],
    [{ earlyStoppingPatience: 1 }, /early stopping goes by an evaluation, and there is none/],
    [{ earlyStoppingPatience: 0 }, /earlyStoppingPatience is not usable; expected an integer of at least 1/],
    [{ earlyStoppingThreshold: -1 }, /earlyStoppingThreshold is not usable; expected a number of at least 0/],
  ])("%j", (given, message) => expect(() => trainingConfig(given)).toThrow(message));

  test("those that do are not", () => {
    const load = { loadBestModelAtEnd: true } as const;
    trainingConfig({ ...load, evalStrategy: "steps", evalSteps: 3, saveSteps: 6 });
    trainingConfig({ ...load, evalStrategy: "epoch", saveStrategy: "epoch" });
    trainingConfig({ ...load, evalStrategy: "epoch", saveStrategy: "best" });
    trainingConfig({ earlyStoppingPatience: 1, evalStrategy: "steps", saveStrategy: "no" });
  });
});
