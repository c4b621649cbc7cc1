import { expect, it } from "vitest";

import { lengthHistogram, rowLengths } from "./lengths.js";

const row = (prompt: number, completion: number): { promptIds: number[]; completionIds: number[] } => ({
  promptIds: Array.from({ length: prompt }, () => 0),
  completionIds: Array.from({ length: completion }, () => 0),
});

it("sums up lengths and counts the rows that will be cut", () => {
  expect(rowLengths([row(1, 4), row(3, 1), row(2, 9), row(2, 2)], 5)).toEqual({
    prompt: { min: 1, mean: 2, median: 2, max: 3 },
    completion: { min: 1, mean: 4, median: 3, max: 9 },
    sequence: { min: 4, mean: 6, median: 4.5, max: 11 },
    numTruncated: 1,
  });
});

it("counts each row in one bin, in bins of a power of two", () => {
  const bins = lengthHistogram([2, 40, 63], 8);
  expect(bins.filter(({ count }) => count > 0)).toEqual([
    { from: 0, to: 8, count: 1 },
    { from: 40, to: 48, count: 1 },
    { from: 56, to: 64, count: 1 },
  ]);
  expect(bins).toHaveLength(8);
});
