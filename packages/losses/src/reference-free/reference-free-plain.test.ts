import { describe, expect, it } from "vitest";
import { cpoLossPlain, cpoLossTypes, LossInputError, orpoLossPlain, type CpoPlainInputs, type ReferenceFreePlainPairs } from "../plain.js";

/** Means over tokens: chosen [−2, −2.5, −2.5], rejected [−2, −3.388888889, −2.5]. */
const three: ReferenceFreePlainPairs = {
  chosenLogProbs: [-20, -35, -12.5],
  rejectedLogProbs: [-24, -30.5, -15],
  chosenLengths: [10, 14, 5],
  rejectedLengths: [12, 9, 6],
};
const close = (got: number, want: number): void => expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(want)));
const nll = 67.5 / 29;

describe("worked examples, to ten digits", () => {
  it("ORPO", () => {
    const { loss, metrics } = orpoLossPlain({ ...three, nll });
    close(loss - nll, 0.05719968373);
    close(metrics.log_odds_ratio!, (-2 * Math.LN2 - 0.3296961508) / 3);
    close(metrics.log_odds_chosen!, 0.9402106762 / 3);
    close(metrics["rewards/chosen"], (-0.2 - 0.25 - 0.25) / 3);
  });

  it("SimPO", () => close(cpoLossPlain({ ...three, lossType: "simpo", beta: 2, cpoAlpha: 0 }).loss, 0.7313211253));

  it("CPO", () => {
    close(cpoLossPlain({ ...three, cpoAlpha: 0 }).loss, 0.6774012061);
    const { loss, metrics } = cpoLossPlain(three);
    close(loss, 0.6774012061 + nll);
    close(metrics.nll_loss, nll);
  });

  it("alphapo is SimPO without the likelihood, whatever cpoAlpha says, and alpha bends its rewards", () => {
    close(cpoLossPlain({ ...three, beta: 2, lossType: "alphapo", cpoAlpha: 1 }).loss, 0.7313211253);
    expect(cpoLossPlain({ ...three, beta: 2, lossType: "alphapo", alpha: 1e-7 }).loss).toBeCloseTo(0.7313211253, 5);
    const bent = (a: number): number => (1 - Math.exp(-0.25 * a)) / 0.25;
    const softplus = (z: number): number => Math.log1p(Math.exp(-z));
    const z = [-2 - -2, 0, 0];
    const means = [
      [-2, -2],
      [-2.5, -30.5 / 9],
      [-2.5, -2.5],
    ];
    means.forEach(([chosen, rejected], pair) => (z[pair] = 2 * (bent(chosen!) - bent(rejected!)) - 0.5));
    const want = z.reduce((sum, value) => sum + softplus(value), 0) / 3;
    for (const lossType of ["alphapo", "simpo"] as const)
      close(cpoLossPlain({ ...three, beta: 2, cpoAlpha: 0, lossType, alpha: 0.25 }).loss, want);
  });

  it("alpha bends the sums of the loss sigmoid too, as in trl", () => {
    const bent = (sum: number): number => (1 - Math.exp(-0.25 * sum)) / 0.25;
    const z = 0.1 * (bent(-2) - bent(-3));
    const pair = { chosenLogProbs: [-2], rejectedLogProbs: [-3], chosenLengths: [1], rejectedLengths: [1] };
    close(cpoLossPlain({ ...pair, alpha: 0.25, cpoAlpha: 0 }).loss, Math.log1p(Math.exp(-z)));
  });
});

describe("gradients are those of central differences", () => {
  const cases: [
    string,
    (pairs: ReferenceFreePlainPairs) => { loss: number; chosenGradient: Float64Array; rejectedGradient: Float64Array },
  ][] = [
    ...cpoLossTypes.map((lossType): (typeof cases)[number] => [
      lossType,
      (pairs) => cpoLossPlain({ ...pairs, lossType, alpha: ["sigmoid", "hinge"].includes(lossType) ? 0.02 : 0.25 }),
    ]),
    ["smoothed", (pairs) => cpoLossPlain({ ...pairs, labelSmoothing: 0.1, cpoAlpha: 0.5 })],
    ["orpo", (pairs) => orpoLossPlain({ ...pairs, nll: 0 })],
  ];
  it.each(cases)("%s", (_name, run) => {
    const step = 1e-5;
    const result = run(three);
    for (const [field, gradient] of [
      ["chosenLogProbs", result.chosenGradient],
      ["rejectedLogProbs", result.rejectedGradient],
    ] as const)
      gradient.forEach((got, pair) => {
        const lossAt = (shift: number): number =>
          run({ ...three, [field]: Array.from(three[field], (value, i) => value + (i === pair ? shift : 0)) }).loss;
        const want = (lossAt(step) - lossAt(-step)) / (2 * step);
        expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-6 * Math.max(Math.abs(want), 1e-3));
      });
  });
});

it("bent sums that are past f32 make the loss NaN", () => {
  expect(cpoLossPlain({ ...three, alpha: 2.6 }).loss).toBeNaN();
  expect(cpoLossPlain({ ...three, alpha: 2.5 }).loss).not.toBeNaN();
});

it("orpo is finite where an answer is certain", () => {
  const { loss, chosenGradient } = orpoLossPlain({ ...three, chosenLogProbs: [0, -35, -12.5], nll });
  expect([loss, ...chosenGradient].every(Number.isFinite)).toBe(true);
});

it.each<[Partial<CpoPlainInputs>, string, string]>([
  [{ lossType: "orpo" as "simpo" }, "lossType", 'expected one of sigmoid, hinge, ipo, simpo, alphapo, got "orpo"'],
  [{ beta: 0 }, "beta", "expected a number above 0, got 0"],
  [{ labelSmoothing: 1 }, "labelSmoothing", "expected a number of at least 0 and below 1, got 1"],
  [
    { lossType: "ipo", labelSmoothing: 0.1 },
    "labelSmoothing",
    "labelSmoothing is not read by the loss ipo; expected 0, or one of the losses sigmoid, simpo, alphapo, got 0.1",
  ],
  [{ cpoAlpha: Number.NaN }, "cpoAlpha", "expected a finite number"],
  [{ rejectedLengths: [1] }, "rejectedLengths", "expected 3, got 1"],
  [{ chosenLogProbs: [] }, "chosenLogProbs", "there are no pairs"],
])("%j", (changes, field, message) => {
  const run = (): unknown => cpoLossPlain({ ...three, ...changes });
  expect(run).toThrow(LossInputError);
  expect(run).toThrow(expect.objectContaining({ code: "LOSS_INPUT", field }) as Error);
  expect(run).toThrow(message);
});
