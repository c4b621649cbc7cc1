import { describe, expect, it } from "vitest";
import {
  dpoLossPlain,
  dpoLossTypes,
  ldTokenWeights,
  LossInputError,
  wpoWeightsPlain,
  type DpoLossOptions,
  type DpoPlainInputs,
} from "../plain.js";

/** Three pairs: c = [1, −2, 0.5], r = [−1.5, 0.5, −0.75]. */
const three: DpoPlainInputs = {
  policyChosenLogProbs: [-20, -35, -12.5],
  policyRejectedLogProbs: [-24, -30.5, -15],
  refChosenLogProbs: [-21, -33, -13],
  refRejectedLogProbs: [-22.5, -31, -14.25],
  chosenLengths: [10, 14, 5],
  rejectedLengths: [12, 9, 6],
};

const exo: DpoLossOptions = { lossType: "exo_pair", labelSmoothing: 1e-3 };
const robust: DpoLossOptions = { lossType: "robust", labelSmoothing: 0.1 };

/** Worked examples of the formulas, to ten digits: losses of the pairs, and the gradient of the first pair alone. */
const worked: [DpoLossOptions, losses: number[], gradient?: [chosen: number, rejected: number]][] = [
  [{ lossType: "sigmoid" }, [0.5759394199, 0.8259394199, 0.6325990353], [-0.04378234991, 0.04378234991]],
  [{ lossType: "hinge" }, [0.75, 1.25, 0.875], [-0.1, 0.1]],
  [{ lossType: "ipo" }, [22.800625, 27.02349458, 22.800625], [-0.955, 0.7958333333]],
  [{ lossType: "sigmoid_norm" }, [0.6819604605, 0.7031170242, 0.6819604605], [-0.004943752373, 0.004119793644]],
  [exo, [2.33954475, 3.19842044, 2.547624537], [-0.1638454231, 0.1638454231]],
  [{ lossType: "nca_pair" }, [1.327073514, 1.456438128, 1.355864542], [-0.02125312188, 0.02312850773]],
  [robust, [0.5446894199, 0.8571894199, 0.6169740353], [-0.05628234991, 0.05628234991]],
  [{ lossType: "bco_pair" }, [1.265353708, 1.516598517, 1.324809789], [-0.04750208125, 0.04625701547]],
  [{ lossType: "sppo_hard" }, [28.25, 79.25, 38.3125], [-8, 7]],
  [{ lossType: "aot" }, [0.8259394199, 0.6325990353, 0.5759394199]],
  [{ lossType: "aot_unpaired" }, [0.718459648, 0.6325990353, 0.668459648]],
  [{ lossType: "apo_zero" }, [0.9375909672, 1.062331394, 0.9687613876], [-0.02493760402, 0.02485990067]],
  [{ lossType: "apo_down" }, [0.9628026866, 1.012342504, 0.9812880231], [0.0003241957455, 0.02461340827]],
  [{ lossType: "discopop" }, [0.7774430622, 0.8290053212, 0.8635401052], [-0.07495459962, 0.07495459962]],
  [{ fDivergenceType: "js_divergence" }, [0.6261463756, 0.7792007474, 0.6605564989]],
  [{ fDivergenceType: "forward_kl" }, [0.5084634799, 1.088707222, 0.6204729028]],
  [{ fDivergenceType: "alpha_divergence" }, [0.5534647177, 0.9057864754, 0.6278125462]],
  [{ fDivergenceType: "alpha_divergence", fAlphaDivergenceCoef: 0 }, [0.5084634799, 1.088707222, 0.6204729028]],
  [{ fDivergenceType: "alpha_divergence", fAlphaDivergenceCoef: 1 }, [0.5759394199, 0.8259394199, 0.6325990353]],
  [{ lossType: "sft" }, [20, 35, 12.5].map((nll) => (3 * nll) / 29)],
];

const title = (options: DpoLossOptions): string => Object.values(options).join(" ");
const close = (got: number, want: number): void => expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(want)));

it("every loss has a worked example", () => {
  const shown = worked.map(([{ lossType = "sigmoid" }]) => lossType);
  expect(dpoLossTypes.filter((name) => !shown.includes(name))).toEqual([]);
});

describe.each(worked.map((example) => [title(example[0]), example] as const))("%s", (_title, [options, losses, gradient]) => {
  const inputs = { ...three, ...options };

  it("has the losses of the worked example", () => {
    const result = dpoLossPlain(inputs);
    losses.forEach((want, pair) => close(result.losses[pair]!, want));
    close(result.loss, losses.reduce((sum, loss) => sum + loss, 0) / 3);
  });

  it("has the gradient of the worked example, and of central differences", () => {
    if (gradient) {
      const first = dpoLossPlain(onePair(inputs));
      close(first.chosenGradient[0]!, gradient[0]);
      close(first.rejectedGradient[0]!, gradient[1]);
    }
    expectCentralDifferences(inputs);
  });
});

it("losses of a list are weighted and added", () => {
  const alone = (lossType: "sigmoid" | "bco_pair" | "sft"): ReturnType<typeof dpoLossPlain> => dpoLossPlain({ ...three, lossType });
  const inputs: DpoPlainInputs = { ...three, lossType: ["sigmoid", "bco_pair", "sft"], lossWeights: [0.8, 0.2, 1] };
  close(dpoLossPlain(inputs).loss, 0.8 * alone("sigmoid").loss + 0.2 * alone("bco_pair").loss + alone("sft").loss);
  close(dpoLossPlain({ ...inputs, lossWeights: null }).loss, alone("sigmoid").loss + alone("bco_pair").loss + alone("sft").loss);
  expectCentralDifferences(inputs);
});

it("weights of pairs multiply losses and gradients", () => {
  const [plain, weighted] = [dpoLossPlain(three), dpoLossPlain({ ...three, weights: [0.5, 0, 2] })];
  expect(Array.from(weighted.losses)).toEqual([0.5 * plain.losses[0]!, 0, 2 * plain.losses[2]!]);
  close(weighted.loss, (0.5 * plain.losses[0]! + 2 * plain.losses[2]!) / 3);
  expectCentralDifferences({ ...three, weights: [0.5, 0, 2] });
});

it("has trl's metrics", () => {
  const { metrics } = dpoLossPlain({ ...three, fDivergenceType: "forward_kl" });
  const want = {
    "rewards/chosen": -0.01666666667,
    "rewards/rejected": -0.05833333333,
    "rewards/margins": 0.04166666667,
    "rewards/accuracies": 2 / 3,
    "logps/chosen": -22.5,
    "logps/rejected": -23.16666667,
  };
  expect(Object.keys(metrics).sort()).toEqual(Object.keys(want).sort());
  for (const [name, value] of Object.entries(want)) expect(metrics[name as keyof typeof want]).toBeCloseTo(value, 8);
});

it("a pair that is no further from the reference than the other is no hit", () => {
  const same = dpoLossPlain({ ...three, policyChosenLogProbs: three.refChosenLogProbs, policyRejectedLogProbs: three.refRejectedLogProbs });
  expect(same.metrics["rewards/accuracies"]).toBe(0);
  expect(same.loss).toBeCloseTo(Math.LN2, 14);
});

it("stays finite far from the reference", () => {
  for (const lossType of dpoLossTypes.filter((name) => name !== "exo_pair"))
    for (const sign of [1, -1]) {
      const far = { policyChosenLogProbs: [sign * 5e3 - 5e3], policyRejectedLogProbs: [-5e3 * sign - 5e3] };
      const result = dpoLossPlain({ ...onePair(three), ...far, lossType, beta: 1 });
      expect([result.loss, result.chosenGradient[0], result.rejectedGradient[0]].every(Number.isFinite), lossType).toBe(true);
    }
});

it("a NaN makes the loss NaN", () => {
  for (const [options] of worked)
    expect(dpoLossPlain({ ...three, ...options, policyChosenLogProbs: [-20, Number.NaN, -12.5] }).loss, title(options)).toBeNaN();
});

it("tokens past the shorter answer of a pair count ldAlpha", () => {
  expect(ldTokenWeights({ chosen: [3, 1], rejected: [2, 2] }, 0.5)).toEqual({ chosen: [1, 1, 0.5, 1], rejected: [1, 1, 1, 0.5] });
  expect(() => ldTokenWeights({ chosen: [1], rejected: [1] }, 1.5)).toThrow(
    "ldAlpha is out of range; expected a number from 0 to 1, got 1.5",
  );
});

it("WPO weighs a pair by the means of its two answers", () => {
  const [likely, sure] = wpoWeightsPlain({
    chosenAlignedLogProbs: [-0.6, 0],
    rejectedAlignedLogProbs: [-1, 0],
    chosenLengths: [3, 0],
    rejectedLengths: [2, 1],
  });
  expect(likely).toBeCloseTo(0.4965853038, 10);
  expect(sure).toBe(1);
});

describe("errors", () => {
  it.each<[Partial<DpoPlainInputs>, string, string]>([
    [
      { lossType: "dpo" as "sigmoid" },
      "lossType",
      'lossType is not usable; expected one of sigmoid, hinge, ipo, exo_pair, nca_pair, robust, bco_pair, sppo_hard, aot, aot_unpaired, apo_zero, apo_down, discopop, sigmoid_norm, sft, got "dpo"',
    ],
    [{ lossType: [] }, "lossType", "expected at least one loss"],
    [
      { lossType: ["sigmoid", "sft"], lossWeights: [1] },
      "lossWeights",
      "lossWeights is of another count than the losses; expected 2, one for each of lossType (sigmoid, sft), got 1",
    ],
    [{ lossWeights: [Number.NaN] }, "lossWeights", "expected finite numbers"],
    [{ lossType: "exo_pair" }, "labelSmoothing", "labelSmoothing is too small for exo_pair"],
    [{ lossType: "robust", labelSmoothing: 0.5 }, "labelSmoothing", "labelSmoothing is too large for robust"],
    [
      { labelSmoothing: 0.1 },
      "labelSmoothing",
      'read by none of the losses (sigmoid); expected 0, or one of the losses exo_pair, robust, aot, aot_unpaired, got 0.1; for pairs with wrong labels take lossType "robust"',
    ],
    [{ labelSmoothing: 1 }, "labelSmoothing", "expected a number of at least 0 and below 1, got 1"],
    [
      { lossType: "apo_zero", fDivergenceType: "forward_kl" },
      "fDivergenceType",
      "fDivergenceType is read by none of the losses (apo_zero)",
    ],
    [
      { fDivergenceType: "kl" as "reverse_kl" },
      "fDivergenceType",
      "expected one of reverse_kl, forward_kl, js_divergence, alpha_divergence",
    ],
    [{ beta: 0 }, "beta", "expected a number above 0, got 0"],
    [{ discopopTau: 0 }, "discopopTau", "expected a number above 0, got 0"],
    [{ fAlphaDivergenceCoef: Infinity }, "fAlphaDivergenceCoef", "expected a finite number"],
    [{ lossType: ["sigmoid", "aot"], weights: [1, 1, 1] }, "weights", "weights is without meaning for aot"],
    [{ lossType: "ipo", chosenLengths: undefined }, "chosenLengths", 'lossType "ipo" needs chosenLengths'],
    [{ refChosenLogProbs: [1] }, "refChosenLogProbs", "refChosenLogProbs has the wrong length; expected 3, got 1"],
    [{ policyChosenLogProbs: [] }, "policyChosenLogProbs", "there are no pairs"],
  ])("%j", (changes, field, message) => {
    const run = (): unknown => dpoLossPlain({ ...three, ...changes });
    expect(run).toThrow(LossInputError);
    expect(run).toThrow(expect.objectContaining({ code: "LOSS_INPUT", field }) as Error);
    expect(run).toThrow(message);
  });
});

/** The first pair of some. */
function onePair({
  policyChosenLogProbs,
  policyRejectedLogProbs,
  refChosenLogProbs,
  refRejectedLogProbs,
  ...rest
}: DpoPlainInputs): DpoPlainInputs {
  return {
    ...rest,
    policyChosenLogProbs: [policyChosenLogProbs[0]!],
    policyRejectedLogProbs: [policyRejectedLogProbs[0]!],
    refChosenLogProbs: [refChosenLogProbs[0]!],
    refRejectedLogProbs: [refRejectedLogProbs[0]!],
    chosenLengths: [rest.chosenLengths![0]!],
    rejectedLengths: [rest.rejectedLengths![0]!],
  };
}

function expectCentralDifferences(inputs: DpoPlainInputs): void {
  const step = 1e-5;
  const result = dpoLossPlain(inputs);
  for (const [field, gradient] of [
    ["policyChosenLogProbs", result.chosenGradient],
    ["policyRejectedLogProbs", result.rejectedGradient],
  ] as const)
    gradient.forEach((got, pair) => {
      const lossAt = (shift: number): number =>
        dpoLossPlain({ ...inputs, [field]: Array.from(inputs[field], (value, i) => value + (i === pair ? shift : 0)) }).loss;
      const want = (lossAt(step) - lossAt(-step)) / (2 * step);
      expect(Math.abs(got - want), `${field} ${pair}`).toBeLessThanOrEqual(1e-6 * Math.max(Math.abs(want), 1e-3));
    });
}
