import { describe, expect, it } from "vitest";
import { expectClose, expectSmallError, gemmTolerance, meanAbsDifference, normalizedMeanSquareError, toleranceOf } from "./tolerances.js";

const exact = { rtol: 0, atol: 0 };

describe("expectClose", () => {
  it("allows atol + rtol · |expected|", () => {
    expectClose([1.0009, 0.001], [1, 0], { rtol: 1e-3, atol: 1e-3, label: "y" });
    expect(() => expectClose([1.003], [1], { rtol: 1e-3, atol: 1e-3, label: "y" })).toThrow(/y: 1 of 1 values are off/);
  });

  it("reports the worst value and its place", () => {
    const actual = [0, 1, 2, 3.5, 4.1, 5];
    expect(() => expectClose(actual, [0, 1, 2, 3, 4, 5], { rtol: 0, atol: 0.01, label: "q", shape: [2, 3] })).toThrow(
      "expectClose: q: 2 of 6 values are off; worst at [1, 0]: expected 3, got 3.5 (difference 5.00e-1, allowed 1.0e-2 from rtol 0, atol 0.01)",
    );
  });

  it("never takes a NaN, takes equal infinities, and refuses other lengths", () => {
    expect(() => expectClose([Number.NaN], [Number.NaN], { rtol: 1, atol: 1, label: "y" })).toThrow(/got NaN/);
    expect(() => expectClose([1, Number.NaN], [100, 2], { ...exact, label: "y" })).toThrow(/worst at index 1/);
    expectClose([Infinity], [Infinity], { ...exact, label: "y" });
    expect(() => expectClose([Infinity], [-Infinity], { rtol: 1, atol: 1, label: "y" })).toThrow(/1 of 1/);
    expect(() => expectClose([Infinity], [1], { rtol: 1, atol: 1, label: "y" })).toThrow(/1 of 1/);
    expect(() => expectClose([1], [1, 2], { ...exact, label: "y" })).toThrow("y: lengths differ; expected 2 values, got 1");
    expect(() => expectClose([1], [1.5], { ...exact, label: "y" })).toThrow(/1 of 1/);
    expectClose([0, -0], [-0, 0], { ...exact, label: "y" });
  });

  it("compares only where the mask is set", () => {
    expectClose([1, 9], [1, 2], { ...exact, label: "y", mask: [1, 0] });
    expect(() => expectClose([1, 9], [1, 2], { ...exact, label: "y", mask: [0, 1] })).toThrow(/index 1/);
  });
});

it("scales the tolerance of gradients", () => {
  expect(toleranceOf("elementwise", "f32")).toEqual({ rtol: 1e-5, atol: 1e-6 });
  expect(toleranceOf("rowReduction", "f16", "gradient")).toEqual({ rtol: 8e-3, atol: 4e-4 });
});

it("measures normalised mean square error", () => {
  expect(normalizedMeanSquareError([1, 2], [1, 2])).toBe(0);
  expect(normalizedMeanSquareError([1.1, 0], [1, 0])).toBeCloseTo(0.01, 12);
  expect(normalizedMeanSquareError([0], [0])).toBe(0);
  expect(normalizedMeanSquareError([1], [0])).toBe(Infinity);
  expectSmallError([1], [1], { limit: gemmTolerance.f32, label: "matmul" });
  expect(() => expectSmallError([1.1], [1], { limit: gemmTolerance.f32, label: "matmul" })).toThrow(
    /matmul: .* expected at most 1e-10, got 1\.00e-2/,
  );
  expect(() => expectSmallError([Number.NaN], [1], { limit: 1, label: "matmul" })).toThrow(/got NaN/);
});

it("averages absolute differences under a mask", () => {
  expect(meanAbsDifference([1, 2, 9], [0, 4, 0], [1, 1, 0])).toBe(1.5);
  expect(meanAbsDifference([], [])).toBe(0);
});
