import { it } from "vitest";
import { expectTrlRun, recordedRuns, typicalRuns } from "./testing/trl-runs.js";

// All but those of parity.gpu.test.ts.
it.each(recordedRuns.filter(([method, name]) => !typicalRuns.some(([itsMethod, itsName]) => method === itsMethod && name === itsName)))(
  "kto train follows trl's %s run %s within the rule of fixtures/README.md, in float32",
  expectTrlRun,
  300_000,
);
