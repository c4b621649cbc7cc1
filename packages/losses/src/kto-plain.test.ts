import { describe, expect, it } from "vitest";
import { averageMetrics, klCompletionSources, ktoLossPlain, LossInputError, type KtoPlainInputs } from "./plain.js";

interface Case {
  id: string;
  inputs: KtoPlainInputs;
  losses: number[];
  loss: number;
  kl: number;
  gradient: number[];
  metrics: Record<string, number>;
}

/** Worked examples of the formulas of `ktoLossPlain`, to ten digits. */
const cases: Case[] = [
  {
    id: "K1 mixed batch",
    inputs: {
      labels: [1, 0, 1, 0],
      policyLogProbs: [-42.5, -61.25, -18.75, -33],
      refLogProbs: [-44, -60, -19, -36.5],
      policyKlLogProbs: [-120, -88.5, -97.25, -140],
      refKlLogProbs: [-121.5, -88, -99.25, -141],
      beta: 0.1,
    },
    kl: 1,
    losses: [0.4875026035, 0.4439861095, 0.5187412159, 0.5621765009],
    loss: 0.5031016074,
    gradient: [-0.006246095377, 0.006171561102, -0.006241219171, 0.006153352068],
    metrics: {
      "rewards/chosen": 0.0875,
      "rewards/rejected": 0.1125,
      "rewards/margins": -0.025,
      "logps/chosen": -30.625,
      "logps/rejected": -47.125,
      kl: 1,
    },
  },
  {
    id: "K2 KL estimate below 0",
    inputs: {
      labels: [true, false],
      policyLogProbs: [-10, -20],
      refLogProbs: [-11, -19.5],
      policyKlLogProbs: [-30, -41],
      refKlLogProbs: [-29, -40.25],
      beta: 0.1,
    },
    kl: 0,
    losses: [0.4750208125, 0.4875026035],
    loss: 0.481261708,
    gradient: [-0.01246880201, 0.01249219075],
    metrics: {
      "rewards/chosen": 0.1,
      "rewards/rejected": -0.05,
      "rewards/margins": 0.15,
      "logps/chosen": -10,
      "logps/rejected": -20,
      kl: 0,
    },
  },
  {
    id: "K3 start of training",
    inputs: {
      labels: [1, 0, 0, 1],
      policyLogProbs: [-7, -8, -9, -10],
      refLogProbs: [-7, -8, -9, -10],
      policyKlLogProbs: [-1, -1, -1, -1],
      refKlLogProbs: [-1, -1, -1, -1],
      beta: 0.1,
    },
    kl: 0,
    losses: [0.5, 0.5, 0.5, 0.5],
    loss: 0.5,
    gradient: [-0.00625, 0.00625, 0.00625, -0.00625],
    metrics: {
      "rewards/chosen": 0,
      "rewards/rejected": 0,
      "rewards/margins": 0,
      "logps/chosen": -8.5,
      "logps/rejected": -8.5,
      kl: 0,
    },
  },
  {
    id: "K4 only desirable",
    inputs: {
      labels: [1, 1, 1],
      policyLogProbs: [-5, -6, -7.5],
      refLogProbs: [-5.5, -7, -7],
      policyKlLogProbs: [-9, -8, -7],
      refKlLogProbs: [-9.5, -8.5, -7.25],
      beta: 0.5,
      desirableWeight: 1.33,
    },
    kl: 0.4166666667,
    losses: [0.6511478373, 0.5687025317, 0.8147829004],
    loss: 0.6782110898,
    gradient: [-0.05539262125, -0.05425461123, -0.05260527353],
    metrics: { "rewards/chosen": 0.1666666667, "logps/chosen": -6.166666667, kl: 0.4166666667 },
  },
  {
    id: "K5 only undesirable",
    inputs: {
      labels: [0, 0],
      policyLogProbs: [-5, -9],
      refLogProbs: [-6, -8],
      policyKlLogProbs: [-4, -4],
      refKlLogProbs: [-4.5, -4.25],
      beta: 0.2,
      undesirableWeight: 2.5,
    },
    kl: 0.375,
    losses: [1.328023433, 1.079200041],
    loss: 1.203611737,
    gradient: [0.06225649375, 0.06133309496],
    metrics: { "rewards/rejected": 0, "logps/rejected": -7, kl: 0.375 },
  },
  {
    id: "K6 apo_zero_unpaired",
    inputs: {
      labels: [1, 0, 0],
      policyLogProbs: [-12, -15, -9],
      refLogProbs: [-13, -14, -9.5],
      beta: 0.3,
      undesirableWeight: 0.5,
      lossType: "apo_zero_unpaired",
    },
    kl: 0,
    losses: [0.4255574832, 0.2127787416, 0.2687149227],
    loss: 0.3023503825,
    gradient: [-0.02444583117, 0.01222291558, 0.01242995033],
    metrics: {
      "rewards/chosen": 0.3,
      "rewards/rejected": -0.075,
      "rewards/margins": 0.375,
      "logps/chosen": -12,
      "logps/rejected": -12,
      kl: 0,
    },
  },
  {
    id: "K7 second micro-batch",
    inputs: {
      labels: [1, 1, 1, 0],
      policyLogProbs: [-30, -25, -40, -50],
      refLogProbs: [-31, -25.5, -39, -52],
      policyKlLogProbs: [-70, -60, -65, -80],
      refKlLogProbs: [-70.5, -60.25, -66, -80.25],
      beta: 0.1,
    },
    kl: 0.5,
    losses: [0.4875026035, 0.5, 0.5374298453, 0.5374298453],
    loss: 0.5155905736,
    gradient: [-0.006246095377, -0.00625, -0.006214975167, 0.006214975167],
    metrics: {
      "rewards/chosen": 0.01666666667,
      "rewards/rejected": 0.2,
      "rewards/margins": -0.1833333333,
      "logps/chosen": -31.66666667,
      "logps/rejected": -50,
      kl: 0.5,
    },
  },
];
const named = (id: string): Case => cases.find((one) => one.id.startsWith(id))!;

function expectClose(got: number, want: number): void {
  expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(want)));
}

describe.each(cases.map((one) => [one.id, one] as const))("%s", (_id, one) => {
  const result = ktoLossPlain(one.inputs);

  it("has the losses, KL and loss of the table", () => {
    one.losses.forEach((want, row) => expectClose(result.losses[row]!, want));
    expectClose(result.loss, one.loss);
    expectClose(result.kl, one.kl);
  });

  it("has the gradient of the table", () => one.gradient.forEach((want, row) => expectClose(result.gradient[row]!, want)));

  it("has trl's metrics and no others", () => {
    expect(Object.keys(result.metrics).toSorted()).toEqual(Object.keys(one.metrics).toSorted());
    for (const [name, want] of Object.entries(one.metrics)) expectClose(result.metrics[name as "kl"], want);
  });

  it("has the gradient of central differences", () => {
    const step = 1e-5;
    result.gradient.forEach((got, row) => {
      const lossAt = (shift: number): number =>
        ktoLossPlain({
          ...one.inputs,
          policyLogProbs: Array.from(one.inputs.policyLogProbs, (value, i) => value + (i === row ? shift : 0)),
        }).loss;
      const want = (lossAt(step) - lossAt(-step)) / (2 * step);
      expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-6 * Math.abs(want));
    });
  });
});

it("K8: metrics of a window are means of micro-batch means", () => {
  const results = ["K1", "K7"].map((id) => ktoLossPlain(named(id).inputs));
  expectClose(averageMetrics(results.map(({ loss }) => ({ loss }))).loss!, 0.5093460905);
  const want = {
    kl: 0.75,
    "rewards/chosen": 0.05208333333,
    "rewards/rejected": 0.15625,
    "rewards/margins": -0.1041666667,
    "logps/chosen": -31.14583333,
    "logps/rejected": -48.5625,
  };
  const got = averageMetrics(results.map(({ metrics }) => metrics));
  expect(Object.keys(got).toSorted()).toEqual(Object.keys(want).toSorted());
  for (const [name, value] of Object.entries(want)) expectClose(got[name as "kl"]!, value);
});

it("a metric that some micro-batches lack is averaged over those that have it", () => {
  const window = ["K4", "K5"].map((id) => ktoLossPlain(named(id).inputs).metrics);
  const got = averageMetrics(window);
  expectClose(got["rewards/chosen"]!, 0.1666666667);
  expect(got["rewards/rejected"]).toBe(0);
  expect(got).not.toHaveProperty("rewards/margins");
});

describe("K9: NaN", () => {
  const { inputs } = named("K1");

  it("leaves the loss and the sums, not the counts, and poisons its gradient", () => {
    const result = ktoLossPlain({ ...inputs, policyLogProbs: [-42.5, Number.NaN, -18.75, -33] });
    expectClose(result.loss, 0.5228067734);
    expectClose(result.metrics["rewards/rejected"]!, 0.175);
    expect(Array.from(result.gradient, Number.isNaN)).toEqual([false, true, false, false]);
    expectClose(result.gradient[0]!, (-0.006246095377 * 4) / 3);
  });

  it("among the KL rows makes everything NaN", () => {
    const result = ktoLossPlain({ ...inputs, policyKlLogProbs: [-120, Number.NaN, -97.25, -140] });
    expect([result.kl, result.loss, ...result.losses].every(Number.isNaN)).toBe(true);
  });
});

it.each([
  [4, 6, [3, 0, 1, 2, 5, 4]],
  [4, 5, [3, 0, 1, 2, 4]],
  [2, 4, [1, 0, 3, 2]],
  [3, 0, []],
])("K10: rotation in blocks of %i over %i rows", (blockSize, numRows, want) =>
  expect(klCompletionSources(numRows, blockSize)).toEqual(want),
);

it("stays finite where the logistic function saturates", () => {
  const result = ktoLossPlain({
    labels: [1, 0],
    policyLogProbs: [-1e5, 0],
    refLogProbs: [0, -1e5],
    lossType: "apo_zero_unpaired",
    beta: 1,
  });
  expect([...result.losses]).toEqual([1, 1]);
  expect([...result.gradient].map(Math.abs)).toEqual([0, 0]);
});

describe("errors", () => {
  const { inputs } = named("K1");

  it.each([
    [{ refLogProbs: [1] }, "refLogProbs", "expected 4, got 1"],
    [{ labels: [1, 0, 1] }, "labels", "expected 4, got 3"],
    [{ labels: [1, 0, "1", 0] }, "labels", 'labels[2] is not a label; expected true, false, 1 or 0, got "1"'],
    [{ policyKlLogProbs: undefined }, "policyKlLogProbs", 'lossType "kto" needs policyKlLogProbs'],
    [{ refKlLogProbs: [1, 2] }, "refKlLogProbs", "expected 4, got 2"],
    [{ beta: Number.NaN }, "beta", "got NaN"],
    [{ lossType: "dpo" }, "lossType", 'there is no lossType "dpo"; expected "kto" or "apo_zero_unpaired"'],
    [{ policyLogProbs: [] }, "policyLogProbs", "there are no rows"],
  ])("%j", (changes, field, message) => {
    const run = (): unknown => ktoLossPlain({ ...inputs, ...changes } as KtoPlainInputs);
    expect(run).toThrow(LossInputError);
    expect(run).toThrow(expect.objectContaining({ code: "LOSS_INPUT", field }) as Error);
    expect(run).toThrow(message);
  });

  it("blockSize 0", () => expect(() => klCompletionSources(4, 0)).toThrow("klCompletionSources: blockSize is out of range"));
});
