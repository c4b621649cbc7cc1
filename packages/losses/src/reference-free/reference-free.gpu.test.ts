import { backward, requestDevice, type Device, type Tensor } from "@kto/tensor";
import { afterAll, beforeAll, expect, it } from "vitest";
import { cpoLoss, orpoLoss, type CpoLossOptions } from "../index.js";
import { cpoLossPlain, cpoLossTypes, orpoLossPlain, type ReferenceFreePlainResult } from "../plain.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const pairs = {
  chosenLogProbs: [-20, -35, -12.5, -0.25],
  rejectedLogProbs: [-24, -30.5, -15, -300],
  chosenLengths: [10, 14, 5, 30],
  rejectedLengths: [12, 9, 6, 25],
};

const cases: CpoLossOptions[] = [
  ...cpoLossTypes.map((lossType): CpoLossOptions => ({ lossType })),
  { lossType: "sigmoid", labelSmoothing: 0.1, cpoAlpha: 0.5 },
  { lossType: "simpo", beta: 2, cpoAlpha: 0 },
  { lossType: "alphapo", alpha: 0.25 },
  { lossType: "sigmoid", alpha: 0.02 },
];

it.each(cases)("on the device cpoLoss equals the plain version: %j", (options) =>
  expectEqual(cpoLossPlain({ ...pairs, ...options }), (inputs) => cpoLoss({ ...inputs, ...options })),
);

it("on the device too, bent sums that are past f32 make the loss NaN", async () => {
  const vector = (values: readonly number[]): Tensor => device.tensor(values, [values.length], "f32");
  const inputs = Object.fromEntries(Object.entries(pairs).map(([name, values]) => [name, vector(values)])) as Record<
    keyof typeof pairs,
    Tensor
  >;
  const loss = device.scope(() => cpoLoss({ ...inputs, lossType: "sigmoid", alpha: 100 }).loss);
  expect(await loss.item()).toBeNaN();
  loss.dispose();
  for (const tensor of Object.values(inputs)) tensor.dispose();
});

it("on the device orpoLoss equals the plain version", () =>
  expectEqual(orpoLossPlain({ ...pairs, nll: 2.5 }), (inputs) => {
    const result = orpoLoss({ ...inputs, nll: device.tensor([2.5], [], "f32") });
    return { ...result, nll: undefined };
  }));

interface Results {
  loss: Tensor;
  chosenRewards: Tensor;
  rejectedRewards: Tensor;
  chosenLogps: Tensor;
  nll: Tensor | undefined;
}

async function expectEqual(
  expected: ReferenceFreePlainResult,
  run: (inputs: Record<keyof typeof pairs, Tensor>) => Results,
): Promise<void> {
  const inputs = Object.fromEntries(
    Object.entries(pairs).map(([name, values]) => [name, device.tensor(values, [values.length], "f32")]),
  ) as Record<keyof typeof pairs, Tensor>;
  inputs.chosenLogProbs.requiresGrad = inputs.rejectedLogProbs.requiresGrad = true;
  const result = device.scope(() => {
    const { loss, chosenRewards, rejectedRewards, chosenLogps, nll } = run(inputs);
    return { loss: loss.detach(), chosenRewards, rejectedRewards, chosenLogps, nll, gradients: backward(loss) };
  });
  const near = (got: number, want: number): void => expect(Math.abs(got - want)).toBeLessThan(1e-6 + 1e-5 * Math.abs(want));
  near(await result.loss.item(), expected.loss);
  const { metrics } = expected;
  const mean = async (tensor: Tensor): Promise<number> =>
    Array.from(await tensor.read()).reduce((total, value) => total + value, 0) / tensor.size;
  near(await mean(result.chosenRewards), metrics["rewards/chosen"]);
  near(await mean(result.rejectedRewards), metrics["rewards/rejected"]);
  near(await mean(result.chosenLogps), metrics["logps/chosen"]);
  if (result.nll) near(await result.nll.item(), metrics.nll_loss);
  for (const [tensor, gradient] of [
    [inputs.chosenLogProbs, expected.chosenGradient],
    [inputs.rejectedLogProbs, expected.rejectedGradient],
  ] as const)
    (await result.gradients.get(tensor)!.read()).forEach((value, pair) => near(value, gradient[pair]!));
  result.gradients.dispose();
}
