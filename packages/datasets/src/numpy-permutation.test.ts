import { expect, it } from "vitest";
import { numpyPermutation } from "./numpy-permutation.js";

it.each([
  [10, 42, [5, 6, 0, 7, 3, 2, 4, 9, 1, 8]],
  [10, 0, [4, 6, 2, 7, 3, 5, 9, 0, 8, 1]],
  [7, 4_294_967_295, [0, 6, 4, 5, 3, 2, 1]],
  [8, 2 ** 40 + 5, [1, 2, 5, 7, 0, 4, 6, 3]],
  [1, 3, [0]],
  [0, 3, []],
])("%i under seed %i is numpy 2.4's default_rng(seed).permutation", (n, seed, expected) => {
  expect([...numpyPermutation(n, seed)]).toEqual(expected);
});

it("is numpy's for thousands, all of them once", () => {
  const order = numpyPermutation(5000, 42);
  expect([...order.slice(0, 5), ...order.slice(-5)]).toEqual([1535, 1183, 3378, 3825, 643, 437, 491, 2189, 4802, 1672]);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 5000 }, (_, index) => index));
});

it.each([-1, 0.5, 2 ** 53])("the seed %d is refused", (seed) => {
  expect(() => numpyPermutation(3, seed)).toThrow(/the seed is not one; expected an integer of at least 0/);
});
