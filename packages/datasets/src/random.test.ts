import { expect, it } from "vitest";

import { MersenneTwister, randperm } from "./random.js";

it("gives the first outputs of MT19937", () => {
  const generator = new MersenneTwister(5489);
  expect([generator.nextUint32(), generator.nextUint32()]).toEqual([3499211612, 581869302]);
  for (let i = 2; i < 9999; i++) generator.nextUint32();
  expect(generator.nextUint32()).toBe(4123659995); // the 10,000th, as the C++ standard requires of mt19937
});

it.each([
  [0, [4, 1, 7, 5, 3, 9, 0, 8, 6, 2]],
  [42, [2, 6, 1, 8, 4, 5, 0, 9, 3, 7]],
])("permutes as torch does with seed %i", (seed, order) => {
  expect([...randperm(10, seed)]).toEqual(order);
});

it("permutes nothing and one", () => {
  expect([...randperm(0, 1)]).toEqual([]);
  expect([...randperm(1, 1)]).toEqual([0]);
});

it("refuses a seed that is no integer", () => {
  expect(() => randperm(3, 0.5)).toThrow("the seed is not an integer; expected an integer, got 0.5");
});
