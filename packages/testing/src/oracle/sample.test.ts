import { expect, it } from "vitest";
import { drawn, keptOf, plainSettings } from "./sample.js";

// The kernel draws what `drawn` draws, to the id (oracle.gpu.test.ts); how often each id comes is looked at here.

const logits = [2, 1, 0.5, 0, -1, -2, -3, 1.5, 0.1, -0.5];
const numDraws = 20_000;

it.each([
  ["everything", plainSettings],
  ["what top-k and top-p leave, at another temperature", { ...plainSettings, topK: 6, topP: 0.9, temperature: 1.7 }],
])("20,000 draws of %s come as often as their probabilities say", (_name, settings) => {
  const kept = keptOf(logits, settings, new Set());
  const total = kept.reduce((sum, { weight }) => sum + weight, 0);
  const counts = new Map<number, number>();
  for (let numDrawn = 0; numDrawn < numDraws; numDrawn++) {
    const id = drawn(logits, { ...settings, numDrawn }, new Set());
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  expect([...counts.keys()].every((id) => kept.some((one) => one.id === id))).toBe(true);
  const chiSquare = kept.reduce((sum, { id, weight }) => {
    const expected = (numDraws * weight) / total;
    return sum + ((counts.get(id) ?? 0) - expected) ** 2 / expected;
  }, 0);
  const degrees = kept.length - 1;
  expect(chiSquare).toBeLessThan(degrees + 4 * Math.sqrt(2 * degrees)); // four standard deviations
});

it("draws of different seeds and of different counts have nothing in common", () => {
  const draws = (seed: [number, number]): number[] =>
    Array.from({ length: 2000 }, (_, numDrawn) => drawn([0, 0], { ...plainSettings, seed, numDrawn }, new Set()));
  const [first, second] = [draws([1, 0]), draws([2, 0])];
  const equal = (a: number[], b: number[]): number => a.filter((id, index) => id === b[index]).length;
  expect(Math.abs(equal(first, second) - 1000)).toBeLessThan(100);
  expect(Math.abs(equal(first, [...first.slice(1), 0]) - 1000)).toBeLessThan(100);
});
