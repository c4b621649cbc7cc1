import { expect, it } from "vitest";
import { expectTrlRun, recordedRuns, typicalRuns } from "./testing/trl-runs.js";

// The other recorded runs: parity.exhaustive.gpu.test.ts.
it.each(typicalRuns)(
  "kto train follows trl's %s run %s within the rule of fixtures/README.md, in float32",
  (method, name) => expectTrlRun(method, name),
  300_000,
);

it(
  "so it does where each prompt goes through the model for each completion",
  () => expectTrlRun("kto", "main", { shared_prompts: false }),
  300_000,
);

it(
  "so it does where the micro-batches of an update go through the model together",
  () => expectTrlRun("kto", "main", { micro_batches_per_pass: 2 }),
  300_000,
);

it("the runs that stand for the rest are among those recorded", () => {
  expect(recordedRuns).toEqual(expect.arrayContaining([...typicalRuns]));
});
