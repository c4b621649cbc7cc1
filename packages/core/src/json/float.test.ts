import { expect, it } from "vitest";

import { Float, floatText, isFloat } from "../index.js";

it("computes as its value and prints as Python does", () => {
  const amount = new Float(25);
  expect(amount.valueOf() + 1).toBe(26);
  expect(Number(amount) === 25).toBe(true);
  expect(String(amount)).toBe("25.0");
  expect(JSON.stringify({ amount })).toBe('{"amount":25}');
  expect([isFloat(amount), isFloat(25), isFloat(Object(25)), isFloat(null)]).toEqual([true, false, false, false]);
});

it.each([
  [0, "0.0"],
  [-0, "-0.0"],
  [1e16, "1e+16"],
  [1e15, "1000000000000000.0"],
  [1.5e-5, "1.5e-05"],
  [0.0001, "0.0001"],
  [1e100, "1e+100"],
  [0.1, "0.1"],
  [NaN, "nan"],
  [-Infinity, "-inf"],
])("%d is %s", (value, text) => expect(floatText(value)).toBe(text));
