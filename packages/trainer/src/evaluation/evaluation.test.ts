import { describe, expect, it } from "vitest";
import type { AnswerScore } from "./answer-score.js";
import { bootstrapInterval, bootstrapMean, mean, quantile } from "./bootstrap.js";
import { compareScores } from "./compare-scores.js";
import { areaUnderCurve, preferenceMetrics } from "./preference-metrics.js";
import { signTest } from "./sign-test.js";

/** The means of all n^n samples of n values, each as likely as the others, sorted. */
function allMeans(values: readonly number[]): number[] {
  const n = values.length;
  return Array.from({ length: n ** n }, (_, sample) =>
    mean(Array.from({ length: n }, (_unused, place) => values[Math.floor(sample / n ** place) % n]!)),
  ).sort((a, b) => a - b);
}

describe("bootstrap intervals", () => {
  it("of constants and single rows have no width", () => {
    expect(bootstrapMean([2, 2, 2])).toEqual({ estimate: 2, low: 2, high: 2 });
    expect(bootstrapMean([-3])).toEqual({ estimate: -3, low: -3, high: -3 });
  });

  it.each([[[0, 1]], [[1, 2, 4]], [[0, 0, 1, 1, 1]], [[-1, 0.5, 2, 3]]])("of %j are those of all samples there are", (values) => {
    const exact = allMeans(values);
    for (const confidence of [0.95, 0.8, 0.5]) {
      const { estimate, low, high } = bootstrapMean(values, { resamples: 40_000, confidence });
      expect(estimate).toBe(mean(values));
      // A sample's quantile lies between the exact ones a little to either side: 3 standard errors of a share among 40,000.
      const tail = (1 - confidence) / 2;
      const slack = 3 * Math.sqrt((tail * (1 - tail)) / 40_000) + 1 / exact.length;
      const bounds = (at: number): [number, number] => [quantile(exact, Math.max(0, at - slack)), quantile(exact, Math.min(1, at + slack))];
      for (const [bound, at] of [
        [low, tail],
        [high, 1 - tail],
      ] as const) {
        const [least, most] = bounds(at);
        expect(bound).toBeGreaterThanOrEqual(least - 1e-12);
        expect(bound).toBeLessThanOrEqual(most + 1e-12);
      }
    }
  });

  it("repeat with the seed and differ with another, and draw each sample from itself", () => {
    const values = [0.1, 0.7, 0.2, 0.9, 0.4];
    expect(bootstrapMean(values, { seed: 1 })).toEqual(bootstrapMean(values, { seed: 1 }));
    expect(bootstrapMean(values, { seed: 1 })).not.toEqual(bootstrapMean(values, { seed: 2 }));
    const sizes = new Set<string>();
    const { low, high } = bootstrapInterval([[1, 1], [10]], (samples) => {
      sizes.add(samples.map((sample) => sample.length).join());
      return mean(samples[1]!) - mean(samples[0]!);
    });
    expect([low, high, [...sizes]]).toEqual([9, 9, ["2,1"]]);
  });
});

it("quantiles go between numbers as numpy's do", () => {
  for (const [at, value] of [
    [0, 1],
    [0.25, 1.75],
    [0.5, 3],
    [0.9, 6.8],
    [1, 8],
  ] as const)
    expect(quantile([1, 2, 4, 8], at)).toBeCloseTo(value, 12);
});

it.each([
  [0, 0, 1],
  [1, 0, 1],
  [5, 0, 2 / 32],
  [0, 5, 2 / 32],
  [8, 2, (2 * (1 + 10 + 45)) / 1024],
  [5, 5, 1],
  [600, 400, 2.728e-10],
])("sign test of %i wins and %i losses: %d", (wins, losses, p) => {
  expect(signTest(wins, losses)).toBeCloseTo(p, 10);
  expect(signTest(wins, losses) / p).toBeCloseTo(1, 2);
});

it("the area under the curve counts every pair", () => {
  expect(areaUnderCurve([2, 3], [1])).toBe(1);
  expect(areaUnderCurve([1, 1], [1, 1])).toBe(0.5);
  const [up, down] = [
    [3, 1, 2, 2, 5],
    [2, 0, 3, 3],
  ];
  const won = up.flatMap((a) => down.map((b) => (a > b ? 1 : a === b ? 0.5 : 0)));
  expect(areaUnderCurve(up, down)).toBeCloseTo(mean(won), 14);
});

/** Both answers of each row: `[chosen, rejected]` rewards, and log-probabilities ten below them. */
const pairs = (...rewards: (readonly [number, number])[]): AnswerScore[] =>
  rewards.flatMap((sides, sourceIndex) =>
    sides.map((reward, side) => ({ sourceIndex, label: side === 0, logProb: reward * 2 - 10, numTokens: 4, reward })),
  );

describe("preference metrics", () => {
  it("of pairs: by rewards, a tie being none, and by log-probabilities alone", () => {
    const metrics = preferenceMetrics(pairs([1, 0], [0, 1], [2, 2], [3, 0]), { hasRewards: true });
    expect(metrics).toMatchObject({
      "eval_preference/pairs": 4,
      "eval_preference/accuracy": 0.5,
      "eval_preference/margin": 0.75,
      "eval_preference/logps_accuracy": 0.5,
      "eval_preference/logps_margin": 1.5,
    });
    for (const name of ["accuracy", "margin", "logps_accuracy", "logps_margin"]) {
      const key = `eval_preference/${name}`;
      expect(metrics[`${key}_low`]).toBeLessThan(metrics[key]!);
      expect(metrics[`${key}_high`]).toBeGreaterThan(metrics[key]!);
    }
    const own = Object.keys(preferenceMetrics(pairs([0, 0]), { hasRewards: false }));
    expect(own.filter((name) => !name.includes("logps"))).toEqual(["eval_preference/pairs"]);
  });

  it("of single answers: how well the classes are told apart; nothing of one class or none", () => {
    const single = (label: boolean | undefined, reward: number, sourceIndex: number): AnswerScore => ({
      sourceIndex,
      label,
      logProb: -1,
      numTokens: 1,
      reward,
    });
    const scores = [single(true, 2, 0), single(false, 1, 1), single(true, 1, 2), single(false, 0, 3)];
    expect(preferenceMetrics(scores, { hasRewards: true })).toMatchObject({ "eval_preference/auc": 0.875, "eval_preference/margin": 1 });
    expect(preferenceMetrics(scores, { hasRewards: false })).toEqual({});
    expect(preferenceMetrics([single(true, 2, 0)], { hasRewards: true })).toEqual({});
    expect(preferenceMetrics([single(undefined, 2, 0)], { hasRewards: true })).toEqual({});
  });
});

describe("two models compared", () => {
  it("pairs: who is better on each, by how much, and who is right", () => {
    const first = pairs([1, 0], [0, 1], [2, 0], [1, 1]);
    const against = pairs([0, 1], [0, 2], [2, 0], [1, 1]).filter(({ sourceIndex }) => sourceIndex !== 3);
    const compared = compareScores(first, against, { by: "rewards" });
    expect(compared.rows).toEqual([
      { sourceIndex: 0, value: 1, againstValue: -1, difference: 2 },
      { sourceIndex: 1, value: -1, againstValue: -2, difference: 1 },
      { sourceIndex: 2, value: 2, againstValue: 2, difference: 0 },
    ]);
    expect(compared).toMatchObject({ kind: "pairs", wins: 2, losses: 0, ties: 1, signTestP: 0.5, difference: { estimate: 1 } });
    expect(compared.winRate).toBeCloseTo(5 / 6, 14);
    expect(compared.accuracy).toEqual({ onlyFirst: 1, onlyAgainst: 0, mcnemarP: 1 });
    expect(compareScores(first, against, { by: "logps" }).rows.map(({ difference }) => difference)).toEqual([4, 2, 0]);
    expect(() => compareScores(first, [], { by: "logps" })).toThrow(/no row was scored by both/);
  });

  it("single answers: more of what is desirable, less of what is not; without labels likelier tokens", () => {
    const at = (label: boolean | undefined, reward: number, sourceIndex: number): AnswerScore => ({
      sourceIndex,
      label,
      logProb: 10 * reward,
      numTokens: 5,
      reward,
    });
    const labelled = compareScores([at(true, 2, 0), at(false, 2, 1)], [at(true, 1, 0), at(false, 1, 1)], { by: "rewards" });
    expect(labelled).toMatchObject({ kind: "labelled", wins: 1, losses: 1, accuracy: undefined, difference: { estimate: 0 } });
    const texts = compareScores([at(undefined, -1, 0)], [at(undefined, -2, 0)], { by: "logps" });
    expect(texts).toMatchObject({ kind: "unlabelled", wins: 1, rows: [{ value: -2, againstValue: -4 }] });
  });
});
