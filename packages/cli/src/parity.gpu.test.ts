import { expect, it } from "vitest";
import { expectTrlRun, recordedRuns, typicalRuns } from "./testing/trl-runs.js";

// The other recorded runs: parity.exhaustive.gpu.test.ts.
it.each(typicalRuns)("kto train follows trl's %s run %s within the rule of fixtures/README.md, in float32", expectTrlRun, 300_000);

it("the runs that stand for the rest are among those recorded", () => {
  expect(recordedRuns).toEqual(expect.arrayContaining([...typicalRuns]));
});
