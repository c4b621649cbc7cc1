import { backward, requestDevice, type Device, type Tensor } from "@kto/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ktoLoss } from "./index.js";
import { ktoLossPlain, type KtoPlainInputs } from "./plain.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const cases: Record<string, KtoPlainInputs> = {
  "both classes": {
    labels: [1, 0, 1, 0],
    policyLogProbs: [-42.5, -61.25, -18.75, -33],
    refLogProbs: [-44, -60, -19, -36.5],
    policyKlLogProbs: [-120, -88.5, -97.25, -140],
    refKlLogProbs: [-121.5, -88, -99.25, -141],
  },
  "negative KL estimate": {
    labels: [1, 0],
    policyLogProbs: [-10, -20],
    refLogProbs: [-11, -19.5],
    policyKlLogProbs: [-30, -41],
    refKlLogProbs: [-29, -40.25],
  },
  "one class, weighted": {
    labels: [1, 1, 1],
    beta: 0.5,
    desirableWeight: 1.33,
    policyLogProbs: [-5, -6, -7.5],
    refLogProbs: [-5.5, -7, -7],
    policyKlLogProbs: [-9, -8, -7],
    refKlLogProbs: [-9.5, -8.5, -7.25],
  },
  apo_zero_unpaired: {
    labels: [1, 0, 0],
    beta: 0.3,
    undesirableWeight: 0.5,
    lossType: "apo_zero_unpaired",
    policyLogProbs: [-12, -15, -9],
    refLogProbs: [-13, -14, -9.5],
  },
  "far from the reference": {
    labels: [1, 0],
    policyLogProbs: [-900, -10],
    refLogProbs: [-10, -900],
    policyKlLogProbs: [-1, -1],
    refKlLogProbs: [-1, -1],
    beta: 1,
  },
};

test.each(Object.keys(cases))("equals the plain version: %s", async (name) => {
  const inputs = cases[name]!;
  const expected = ktoLossPlain(inputs);
  const policy = vector(inputs.policyLogProbs);
  policy.requiresGrad = true;
  const results = device.scope(() => {
    const { loss, losses, kl, rewards } = ktoLoss(onDevice(inputs, policy));
    const gradients = backward(loss);
    return { loss: loss.detach(), losses: losses.detach(), kl, rewards, gradients };
  });
  expect(await results.loss.item()).toBeCloseTo(expected.loss, 6);
  expect(results.kl ? await results.kl.item() : 0).toBeCloseTo(expected.kl, 5);
  await expectNear(results.losses, expected.losses);
  await expectNear(results.rewards, expected.rewards);
  await expectNear(results.gradients.get(policy)!, expected.gradient);
  results.gradients.dispose();
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])("is exactly 0.5 for %i rows where policy and reference are equal", async (rows) => {
  const values = Array.from({ length: rows }, (_, row) => -100.1 - row / 3);
  const labels = values.map((_, row) => row % 2);
  const { loss, kl } = ktoLoss(
    onDevice({ labels, policyLogProbs: values, refLogProbs: values, policyKlLogProbs: values, refKlLogProbs: values }, vector(values)),
  );
  expect(await loss.item()).toBe(0.5);
  expect(await kl!.item()).toBe(0);
});

test("the KL log-probabilities are needed for kto", () => {
  const policyLogProbs = vector([-1]);
  expect(() => ktoLoss({ policyLogProbs, refLogProbs: policyLogProbs, labels: vector([1]) })).toThrow(
    /needs policyKlLogProbs and refKlLogProbs/,
  );
});

function vector(values: ArrayLike<number | boolean>): Tensor {
  return device.tensor(Array.from(values, Number), [values.length], "f32");
}

function onDevice(
  { labels, refLogProbs, policyKlLogProbs, refKlLogProbs, ...rest }: KtoPlainInputs,
  policyLogProbs: Tensor,
): Parameters<typeof ktoLoss>[0] {
  return {
    ...rest,
    policyLogProbs,
    labels: vector(labels),
    refLogProbs: vector(refLogProbs),
    ...(policyKlLogProbs && refKlLogProbs ? { policyKlLogProbs: vector(policyKlLogProbs), refKlLogProbs: vector(refKlLogProbs) } : {}),
  };
}

async function expectNear(actual: Tensor, expected: Float64Array): Promise<void> {
  (await actual.read()).forEach((value, index) =>
    expect(Math.abs(value - expected[index]!)).toBeLessThan(1e-6 + 1e-5 * Math.abs(expected[index]!)),
  );
}
