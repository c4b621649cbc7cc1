import { excerpt } from "@kto/core";
import type { Schedule } from "@kto/optim";
import { TrainerConfigError } from "../config/check-config.js";
import type { LogRecord, RunProgress } from "./trainer-state.js";

/** Tells the metric of an evaluation to a schedule that follows it. Throws TrainerConfigError where the evaluation has no such metric. */
export function followEvaluation(
  { name, observe }: Schedule,
  record: LogRecord,
  { metricForBestModel: given, progress }: { metricForBestModel: string; progress: RunProgress },
): void {
  if (!observe) return;
  const metric = record[given.startsWith("eval_") ? given : `eval_${given}`];
  if (metric === undefined)
    throw new TrainerConfigError(
      {
        operation: "train",
        problem: `there is no metric for ${name} to follow`,
        expected: `{metricForBestModel} among ${Object.keys(record).join(", ")}`,
        got: excerpt(given),
        fields: ["metricForBestModel"],
      },
      "metricForBestModel",
    );
  observe(metric);
  progress.scheduleMetrics.push(metric);
}
