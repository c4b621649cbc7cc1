import type { Schedule } from "@kto/optim";
import { followedMetric, weighEvaluation, type EvaluationOutcome } from "./best-model.js";
import type { Collective } from "./collective.js";
import type { LogRecord, RunProgress } from "./trainer-state.js";
import type { TrainingConfig } from "./training-config.js";

/** What an evaluation is followed up with. */
export interface FollowedRun {
  args: TrainingConfig;
  schedule: Schedule;
  progress: RunProgress;
  collective: Collective;
}

/** Takes an evaluation into account: for a schedule that follows its metric, for the best model, for an early end. */
export async function followEvaluation(record: LogRecord, run: FollowedRun): Promise<EvaluationOutcome> {
  const { args, schedule, progress, collective } = run;
  const metric = followedMetric(args);
  if (!metric) return { isNewBest: false, stops: false };
  const own = record[metric.name]!; // the plan has seen to it that it is logged
  const value = collective.size === 1 ? own : (await collective.gather([own]))[0]![0]!; // ranks differ in their speeds
  if (schedule.observe) {
    schedule.observe(value);
    progress.scheduleMetrics.push(value);
  }
  return weighEvaluation(progress.best, value, { args, isGreaterBetter: metric.isGreaterBetter, step: progress.globalStep });
}
