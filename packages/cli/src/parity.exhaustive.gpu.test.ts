import { it } from "vitest";
import { expectTrlRun, recordedRuns, typicalRuns } from "./testing/trl-runs.js";

// All but those of parity.gpu.test.ts.
it.each(recordedRuns.filter((name) => !typicalRuns.includes(name)))(
  "kto train follows trl's run %s within the rule of fixtures/README.md, in float32",
  expectTrlRun,
  300_000,
);
