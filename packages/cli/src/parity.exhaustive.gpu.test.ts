import { it } from "vitest";
import { expectTrlRun, recordedRuns, typicalRuns } from "./testing/trl-runs.js";

// All but those of parity.gpu.test.ts.
it.each(recordedRuns.filter(([method, name]) => !typicalRuns.some(([itsMethod, itsName]) => method === itsMethod && name === itsName)))(
  "kto train follows trl's %s run %s within the rule of fixtures/README.md, in float32",
  (method, name) => expectTrlRun(method, name),
  300_000,
);

const oneByOne = { shared_prompts: false };
const together = { micro_batches_per_pass: 2 };
const again = { gradient_checkpointing: true };

/** Other ways to the same numbers. */
const ways: Readonly<Record<string, readonly Record<string, unknown>[]>> = {
  kto: [oneByOne, { ...again, precompute_ref_log_probs: true }, together],
  dpo: [again, together],
  sft: [again, together],
};

// Every way has tests of its own: here each run goes one other way in turn, and each way is gone by several runs of a method.
it.each(recordedRuns.map(([method, name], index) => [method, name, ways[method]![index % ways[method]!.length]!] as const))(
  "so it does of %s run %s by another way, with %o",
  (method, name, way) => expectTrlRun(method, name, way),
  300_000,
);
