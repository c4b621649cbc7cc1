import { describe, expect, it } from "vitest";
import { gradientCheckTolerance } from "../tolerances.js";
import { checkGradients } from "./gradient-check.js";
import { oracleCases } from "./index.js";

const tooLarge = 100_000; // elements: a difference costs two forward passes

describe("an oracle's vjp agrees with central differences", () => {
  const cases = oracleCases.filter(({ vjp, inputs }) => vjp && Object.values(inputs).every(({ data }) => data.length < tooLarge));
  it.each(cases.map((oracle) => [oracle.name, oracle] as const))("%s", (_name, oracle) => {
    for (const { input, worst } of checkGradients(oracle)) expect(worst, `gradient of ${input}`).toBeLessThan(gradientCheckTolerance);
  });
});

it("no two cases have one name", () => {
  const names = oracleCases.map(({ name }) => name);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
