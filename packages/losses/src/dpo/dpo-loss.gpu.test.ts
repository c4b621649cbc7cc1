import { backward, requestDevice, type Device, type Tensor } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dpoLoss, wpoWeights, type DpoLossInputs, type DpoLossOptions } from "../index.js";
import { dpoLossPlain, dpoLossTypes, wpoWeightsPlain, type DpoPlainInputs } from "../plain.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const pairs = {
  policyChosenLogProbs: [-20.125, -35.5, -12.25, -90, -7],
  policyRejectedLogProbs: [-24, -30.5, -15.75, -60, -8],
  refChosenLogProbs: [-21, -33, -13, -75.5, -7],
  refRejectedLogProbs: [-22.5, -31, -14.25, -70.25, -8],
  chosenLengths: [10, 14, 5, 30, 1],
  rejectedLengths: [12, 9, 6, 11, 2],
} satisfies DpoPlainInputs;

const far = {
  policyChosenLogProbs: [-900, -10],
  policyRejectedLogProbs: [-10, -900],
  refChosenLogProbs: [-10, -900],
  refRejectedLogProbs: [-900, -10],
  chosenLengths: [9, 2],
  rejectedLengths: [2, 9],
} satisfies DpoPlainInputs;

const needs: Partial<Record<string, DpoLossOptions>> = {
  exo_pair: { labelSmoothing: 0.01 },
  robust: { labelSmoothing: 0.1 },
};

const cases: [string, DpoPlainInputs][] = [
  ...dpoLossTypes.map((lossType): [string, DpoPlainInputs] => [lossType, { ...pairs, lossType, ...needs[lossType] }]),
  ...dpoLossTypes.map((lossType): [string, DpoPlainInputs] => [
    `${lossType}, far from the reference`,
    { ...far, lossType, beta: 1, ...needs[lossType] },
  ]),
  ["aot, smoothed", { ...pairs, lossType: "aot", labelSmoothing: 0.1 }],
  ["aot_unpaired, smoothed", { ...pairs, lossType: "aot_unpaired", labelSmoothing: 0.1 }],
  ["several, weighted", { ...pairs, lossType: ["sigmoid", "bco_pair", "sft"], lossWeights: [0.8, 0.2, 1] }],
  ["weights of pairs", { ...pairs, lossType: ["sigmoid", "ipo"], weights: [0.5, 0, 2, 1, 0.25] }],
  ["forward_kl", { ...pairs, fDivergenceType: "forward_kl" }],
  ["js_divergence", { ...pairs, fDivergenceType: "js_divergence", lossType: ["sigmoid", "apo_down"] }],
  ["alpha_divergence", { ...pairs, fDivergenceType: "alpha_divergence", lossType: ["nca_pair", "ipo"] }],
  ["alpha_divergence of 1", { ...pairs, fDivergenceType: "alpha_divergence", fAlphaDivergenceCoef: 1 }],
  ["forward_kl with cut exponents", { ...far, fDivergenceType: "forward_kl", lossType: "bco_pair", beta: 1e-30 }],
];

describe("on the device dpoLoss equals the plain version", () => {
  it.each(cases)("%s", async (_name, inputs) => {
    const expected = dpoLossPlain(inputs);
    const [chosen, rejected] = [vector(inputs.policyChosenLogProbs), vector(inputs.policyRejectedLogProbs)];
    chosen.requiresGrad = rejected.requiresGrad = true;
    const results = device.scope(() => {
      const { loss, losses, chosenRewards, rejectedRewards } = dpoLoss({
        ...onDevice(inputs),
        policyChosenLogProbs: chosen,
        policyRejectedLogProbs: rejected,
      });
      return { loss: loss.detach(), losses: losses.detach(), chosenRewards, rejectedRewards, gradients: backward(loss) };
    });
    const total = Math.abs(expected.loss);
    await expectNear(results.losses, expected.losses);
    expect(Math.abs((await results.loss.item()) - expected.loss)).toBeLessThan(1e-6 + 1e-5 * total);
    await expectNear(results.chosenRewards, expected.chosenRewards);
    await expectNear(results.rejectedRewards, expected.rejectedRewards);
    await expectGradient(results.gradients.get(chosen), expected.chosenGradient);
    await expectGradient(results.gradients.get(rejected), expected.rejectedGradient);
    results.gradients.dispose();
  });
});

it("sft divides by the mean length of the whole micro-batch, where it is told", async () => {
  const { loss } = dpoLoss({ ...onDevice(pairs), lossType: "sft", meanChosenLength: 100 });
  const { losses } = dpoLossPlain({ ...pairs, lossType: "sft" });
  expect(await loss.item()).toBeCloseTo((losses.reduce((sum, value) => sum + value, 0) / losses.length) * (12 / 100), 5);
});

it("sft reads the log-probabilities of tokens where those of the policy weigh them", async () => {
  const tokens = pairs.policyChosenLogProbs.map((value) => value / 2);
  const { loss } = dpoLoss({ ...onDevice(pairs), lossType: "sft", chosenTokenLogProbs: vector(tokens) });
  expect(await loss.item()).toBeCloseTo(dpoLossPlain({ ...pairs, lossType: "sft", policyChosenLogProbs: tokens }).loss, 5);
});

it("is exactly the f32 of log 2 where policy and reference are equal", async () => {
  const values = [-100.1, -33.3, -7.7];
  const same = { policyChosenLogProbs: values, policyRejectedLogProbs: values, refChosenLogProbs: values, refRejectedLogProbs: values };
  expect(await dpoLoss(onDevice(same)).loss.item()).toBeCloseTo(Math.LN2, 7);
});

it("a NaN makes the loss NaN", async () => {
  for (const lossType of dpoLossTypes) {
    const inputs = onDevice({ ...pairs, lossType, ...needs[lossType], policyChosenLogProbs: [-20, Number.NaN, -12.5, -9, -7] });
    expect(await dpoLoss(inputs).loss.item(), lossType).toBeNaN();
  }
});

it("says which lengths a loss needs", () => {
  const { chosenLengths: _lengths, ...rest } = onDevice(pairs);
  expect(() => dpoLoss({ ...rest, lossType: "ipo" })).toThrow('dpoLoss: lossType "ipo" needs chosenLengths');
  expect(() => dpoLoss({ ...rest, lossType: "sft" })).toThrow('dpoLoss: lossType "sft" needs chosenLengths');
});

function vector(values: ArrayLike<number>): Tensor {
  return device.tensor(Array.from(values), [values.length], "f32");
}

it("wpoWeights equals the plain version, and is a constant for the gradient", async () => {
  const inputs = { chosenAlignedLogProbs: [-3.5, -60, 2], rejectedAlignedLogProbs: [-1, -4, -0.25] };
  const lengths = { chosenLengths: [7, 12, 3], rejectedLengths: [2, 9, 1] };
  const aligned = vector(inputs.chosenAlignedLogProbs);
  aligned.requiresGrad = true;
  const weights = device.scope(() =>
    wpoWeights({
      chosenAlignedLogProbs: aligned,
      rejectedAlignedLogProbs: vector(inputs.rejectedAlignedLogProbs),
      chosenLengths: vector(lengths.chosenLengths),
      rejectedLengths: vector(lengths.rejectedLengths),
    }),
  );
  expect(weights.requiresGrad).toBe(false);
  const expected = wpoWeightsPlain({ ...inputs, ...lengths });
  (await weights.read()).forEach((weight, pair) => expect(Math.abs(weight - expected[pair]!)).toBeLessThan(1e-6 * expected[pair]!));
  weights.dispose();
  aligned.dispose();
});

function onDevice({ chosenLengths, rejectedLengths, weights, ...rest }: DpoPlainInputs): DpoLossInputs {
  return {
    ...rest,
    policyChosenLogProbs: vector(rest.policyChosenLogProbs),
    policyRejectedLogProbs: vector(rest.policyRejectedLogProbs),
    refChosenLogProbs: vector(rest.refChosenLogProbs),
    refRejectedLogProbs: vector(rest.refRejectedLogProbs),
    ...(chosenLengths && { chosenLengths: vector(chosenLengths) }),
    ...(rejectedLengths && { rejectedLengths: vector(rejectedLengths) }),
    ...(weights && { weights: vector(weights) }),
  };
}

async function expectNear(actual: Tensor, expected: Float64Array): Promise<void> {
  (await actual.read()).forEach((value, index) =>
    expect(Math.abs(value - expected[index]!), `${index}: ${value}, expected ${expected[index]}`).toBeLessThan(
      1e-6 + 1e-5 * Math.abs(expected[index]!),
    ),
  );
}

/** A side that a loss does not read has no gradient. */
async function expectGradient(actual: Tensor | undefined, expected: Float64Array): Promise<void> {
  if (actual) await expectNear(actual, expected);
  else expect(Array.from(expected)).toEqual(Array.from(expected, () => 0));
}
