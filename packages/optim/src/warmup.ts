import { ScheduleError } from "./errors.js";

/**
 * Number of warm-up updates, from a count or from a share of the run.
 *
 *   warmupSteps ≥ 1: floor(warmupSteps);  below 1: ceil(numTrainingSteps · warmupSteps)
 *
 * @param warmupSteps       updates, or a ratio of the run when below 1
 * @param numTrainingSteps  updates of the whole run
 * @returns                 updates; throws ScheduleError for a negative or non-finite value
 * @see transformers 5, TrainingArguments.warmup_steps
 */
export function warmupUpdateCount(warmupSteps: number, numTrainingSteps: number): number {
  if (!Number.isFinite(warmupSteps) || warmupSteps < 0)
    throw new ScheduleError(
      `createSchedule: warmupSteps is out of range; expected 0, a ratio below 1 or a number of updates, got ${warmupSteps}`,
      { field: "warmupSteps" },
    );
  return warmupSteps >= 1 ? Math.floor(warmupSteps) : Math.ceil(numTrainingSteps * warmupSteps);
}
