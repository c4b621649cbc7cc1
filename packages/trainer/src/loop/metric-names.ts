import { excerpt } from "@kto/core";
import { TrainerConfigError } from "../config/check-config.js";
import { sketchedBatches, sketchedRows, type RowSequence } from "../data/row-sequence.js";
import type { SourceRow } from "../data/rows.js";
import { wholeBatches } from "../memory/passes.js";
import { followedMetric } from "./best-model.js";
import type { Method, MethodContext } from "./method.js";
import { recordMicroBatch } from "./micro-batch.js";
import type { TrainingConfig } from "./training-config.js";

/** What every evaluation logs. */
const always = ["loss", "runtime", "samples_per_second", "steps_per_second", "num_tokens"];

/** What an evaluation is recorded with. */
export interface EvaluatedRun<Row extends SourceRow> {
  method: Method<Row>;
  context: Omit<MethodContext, "layout">;
}

/** Throws TrainerConfigError where a run goes by a metric that no evaluation of these rows will log, with the names of those that it will. */
export function expectLogged<Row extends SourceRow>(args: TrainingConfig, run: EvaluatedRun<Row>, rows: RowSequence<Row>): void {
  const metric = followedMetric(args);
  if (metric === undefined || rows.length === 0) return;
  const names = evaluatedMetrics(run, rows, args.perDeviceEvalBatchSize);
  if (names.includes(metric.name)) return;
  throw new TrainerConfigError(
    {
      operation: "train",
      problem: "no evaluation logs the metric that the run is to go by",
      expected: `{metricForBestModel} to be one of ${names.join(", ")}`,
      got: excerpt(args.metricForBestModel),
      fields: ["metricForBestModel"],
    },
    "metricForBestModel",
  );
}

/** Names of what an evaluation logs. A batch is rehearsed on the host to know what its results are called; nothing is computed. */
function evaluatedMetrics<Row extends SourceRow>(
  { method, context }: EvaluatedRun<Row>,
  rows: RowSequence<Row>,
  batchSize: number,
): string[] {
  const first = sketchedRows(rows, 0, Math.min(batchSize, rows.length));
  const sizes = new Map<string, number>(); // by row
  context.model.device.memory.rehearse(() => {
    const results = recordMicroBatch({ method, context: { ...context, layout: wholeBatches } }, first, undefined);
    for (const [name, { size }] of Object.entries(results)) sizes.set(name, size / first.length);
  });
  const names = new Set(always);
  for (const batch of sketchedBatches(rows, batchSize)) {
    const zeros = Object.fromEntries([...sizes].map(([name, size]) => [name, new Float32Array(Math.ceil(size * batch.length))]));
    for (const name of Object.keys(method.metrics(zeros, batch))) names.add(name);
  }
  return [...names].map((name) => `eval_${name}`);
}
