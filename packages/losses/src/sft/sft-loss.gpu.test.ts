import { backward, requestDevice, type Device, type Tensor } from "@kto/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sftLoss, type SftLossType } from "../index.js";
import { sftLossPlain } from "../plain.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const cases: [lossType: SftLossType, tokenLogProbs: number[], numItemsInBatch: number][] = [
  ["nll", [-0.25, -1.5, -12, 0], 4],
  ["chunked_nll", [-3.5], 12],
  ["dft", [-0.25, -1.5, -12, 0, -90], 7],
];

test.each(cases)("%s of %j over %i tokens equals the plain version", async (lossType, values, numItemsInBatch) => {
  const expected = sftLossPlain({ tokenLogProbs: values, numItemsInBatch, lossType });
  const tokenLogProbs = vector(values);
  tokenLogProbs.requiresGrad = true;
  const { loss, gradients } = device.scope(() => {
    const recorded = sftLoss({ tokenLogProbs, numItemsInBatch, lossType });
    return { gradients: backward(recorded), loss: recorded.detach() };
  });
  expect(await loss.item()).toBeCloseTo(expected.loss, 6);
  const gradient = await gradients.get(tokenLogProbs)!.read();
  gradient.forEach((value, token) => expect(value).toBeCloseTo(expected.gradient[token]!, 6));
  gradients.dispose();
});

test("a loss that there is not, and a mean over nothing, are refused", () => {
  const tokenLogProbs = vector([-1]);
  expect(() => sftLoss({ tokenLogProbs, numItemsInBatch: 1, lossType: "ce" as SftLossType })).toThrow(
    /there is no lossType "ce"; expected one of nll/,
  );
  expect(() => sftLoss({ tokenLogProbs, numItemsInBatch: 0 })).toThrow(
    /numItemsInBatch is no number of scored tokens; expected at least 1, got 0/,
  );
});

function vector(values: readonly number[]): Tensor {
  return device.tensor(values, [values.length], "f32");
}
