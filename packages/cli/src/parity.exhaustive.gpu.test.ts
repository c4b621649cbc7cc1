import { it } from "vitest";
import { expectTrlRun, recordedRuns, typicalRuns } from "./testing/trl-runs.js";

// All but those of parity.gpu.test.ts.
it.each(recordedRuns.filter(([method, name]) => !typicalRuns.some(([itsMethod, itsName]) => method === itsMethod && name === itsName)))(
  "kto train follows trl's %s run %s within the rule of fixtures/README.md, in float32",
  (method, name) => expectTrlRun(method, name),
  300_000,
);

it.each(recordedRuns.filter(([method]) => method === "kto"))(
  "kto train follows trl's %s run %s where each prompt goes through the model for each completion",
  (method, name) => expectTrlRun(method, name, { shared_prompts: false }),
  300_000,
);

it.each(recordedRuns.filter(([method]) => method === "kto"))(
  "kto train follows trl's %s run %s with layers run again and references computed beforehand",
  (method, name) => expectTrlRun(method, name, { gradient_checkpointing: true, precompute_ref_log_probs: true }),
  300_000,
);

// Every kind of loss has a test of its own; here the runs of which most are asked.
it.each(typicalRuns)(
  "kto train follows trl's %s run %s where the micro-batches of an update go through the model together",
  (method, name) => expectTrlRun(method, name, { micro_batches_per_pass: 2 }),
  300_000,
);
