import { expect, it } from "vitest";

import { classBalance, describeBalance } from "./class-balance.js";

const labels = (desirable: number, undesirable: number): boolean[] =>
  Array.from({ length: desirable + undesirable }, (_, index) => index < desirable);

it.each([
  [600, 400, [0.67, 0.89], [1.13, 1.5], true],
  [480, 520, [1.08, 1.44], [0.69, 0.92], true],
])("gives trl's ranges for %i desirable and %i undesirable rows", (desirable, undesirable, desirableRange, undesirableRange, warns) => {
  const balance = classBalance(labels(desirable, undesirable));
  expect(balance).toMatchObject({ desirable, undesirable, desirableRange, undesirableRange });
  expect(balance.warning !== undefined).toBe(warns);
});

it("checks nothing when the classes are equal", () => {
  expect(classBalance(labels(500, 500))).toEqual({ desirable: 500, undesirable: 500 });
});

it("is content with one weight in its range", () => {
  expect(classBalance(labels(600, 400), { undesirableWeight: 1.2 }).warning).toBeUndefined();
  expect(classBalance(labels(600, 400), { desirableWeight: 0.7 }).warning).toBeUndefined();
  expect(describeBalance(classBalance(labels(600, 400), { desirableWeight: 0.95 }))).toContain("(600 desirable, 400 undesirable rows)");
});

it("rounds halves to even, as Python does", () => {
  expect(classBalance(labels(8, 9)).desirableRange![0]).toBe(1.12); // 1.125
  expect(classBalance(labels(8, 3)).desirableRange![0]).toBe(0.38); // 0.375
});

it("says which class is missing", () => {
  expect(describeBalance(classBalance(labels(0, 3)))).toContain("every row is undesirable");
  expect(describeBalance(classBalance(labels(1, 0)))).toContain("every row is desirable");
  expect(classBalance([])).toEqual({ desirable: 0, undesirable: 0 });
});
