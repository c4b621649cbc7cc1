import { describe, expect, it } from "vitest";
import { sftLossPlain, sftMetrics, type SftLossType } from "../plain.js";

/** Two micro-batches: a sum of 6 over 3 scored tokens, and of 9 over 9. */
const microBatches = [
  [-1, -2, -3],
  [-0.5, -1.5, -0.25, -1.75, -1, -1, -1, -1, -1],
];

describe("the mean over the scored tokens of an update", () => {
  it("is that of all its micro-batches, not of their means", () => {
    const numItemsInBatch = 12;
    const losses = microBatches.map((tokenLogProbs) => sftLossPlain({ tokenLogProbs, numItemsInBatch }).loss);
    expect(losses).toEqual([0.5, 0.75]);
    expect(losses[0]! + losses[1]!).toBeCloseTo(1.25, 12);
    expect(microBatches.map((tokenLogProbs) => sftLossPlain({ tokenLogProbs }).loss)).toEqual([2, 1]); // means of 1.5 together
  });

  it("weighs each token by its own probability under dft", () => {
    const { loss, gradient } = sftLossPlain({ tokenLogProbs: [-Math.LN2, 0, -2], lossType: "dft" });
    expect(loss).toBeCloseTo((0.5 * Math.LN2 + 2 * Math.exp(-2)) / 3, 12);
    expect(Array.from(gradient, (value) => value * -3)).toEqual([0.5, 1, Math.exp(-2)].map((value) => expect.closeTo(value, 12)));
  });

  it("is the same under nll's older name", () => {
    const [tokenLogProbs] = microBatches;
    expect(sftLossPlain({ tokenLogProbs: tokenLogProbs!, lossType: "chunked_nll" })).toEqual(
      sftLossPlain({ tokenLogProbs: tokenLogProbs! }),
    );
  });

  it.each(["nll", "dft"] as const)("%s has the gradient that differences have, with the weights held", (lossType) => {
    const tokenLogProbs = [-0.3, -2.5, -7];
    const weights = tokenLogProbs.map((logProb) => (lossType === "dft" ? Math.exp(logProb) : 1));
    const held = (values: readonly number[]): number => -values.reduce((total, value, token) => total + weights[token]! * value, 0) / 5;
    const { gradient } = sftLossPlain({ tokenLogProbs, lossType, numItemsInBatch: 5 });
    const step = 1e-6;
    for (const [token, slope] of gradient.entries()) {
      const moved = (by: number): number[] => tokenLogProbs.map((value, index) => (index === token ? value + by : value));
      expect(slope).toBeCloseTo((held(moved(step)) - held(moved(-step))) / (2 * step), 8);
    }
  });
});

it("metrics are means over scored tokens, and 0 without any", () => {
  expect(sftMetrics({ entropy: 6, numCorrect: 1, numScored: 4 })).toEqual({ entropy: 1.5, mean_token_accuracy: 0.25 });
  expect(sftMetrics({ entropy: 0, numCorrect: 0, numScored: 0 })).toEqual({ entropy: 0, mean_token_accuracy: 0 });
});

it.each([
  [{ tokenLogProbs: [] }, /numItemsInBatch is no number of scored tokens; expected at least 1, got 0/],
  [{ tokenLogProbs: [-1], numItemsInBatch: NaN }, /got NaN/],
  [{ tokenLogProbs: [-1], lossType: "ce" as SftLossType }, /there is no lossType "ce"; expected one of nll, dft, chunked_nll/],
])("%j is refused", (inputs, message) => expect(() => sftLossPlain(inputs)).toThrow(message));
