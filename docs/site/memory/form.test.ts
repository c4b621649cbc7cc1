import { expect, it } from "vitest";
import { firstForm, ownConfig, runOf, type MemoryForm } from "./form.js";

it("what the page opens with is a run", () => {
  expect(runOf(firstForm)).toMatchObject({ run: { batchSize: 4, tokens: 1024, gradientCheckpointing: true, budgetBytes: undefined } });
  expect(runOf({ ...firstForm, budget: 1.5, gradientCheckpointing: "auto" })).toMatchObject({
    run: { budgetBytes: 1.5 * 2 ** 30, gradientCheckpointing: "auto" },
  });
});

it.each<[Partial<MemoryForm>, RegExp]>([
  [{ batchSize: "" }, /the batch is not a whole number/],
  [{ tokens: 1.5 }, /the length is not a whole number/],
  [{ loraRank: 0 }, /the rank is not/],
  [{ budget: -1 }, /the limit is not/],
  [{ model: ownConfig }, /paste the model's config.json/],
  [{ model: ownConfig, configText: "<html>" }, /config.json is not JSON: /],
  [{ model: ownConfig, configText: "[]" }, /config.json is not an object/],
])("%j: says what is wrong", (change, problem) =>
  expect(runOf({ ...firstForm, ...change })).toMatchObject({ problem: expect.stringMatching(problem) as string }),
);

it("the rank does not matter where there is no adapter", () => {
  expect(runOf({ ...firstForm, weights: "trained", loraRank: "" })).toHaveProperty("run");
});
