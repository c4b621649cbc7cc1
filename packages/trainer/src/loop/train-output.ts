import { round } from "./evaluate.js";
import type { TrainOutput } from "./events.js";
import type { PlannedRun } from "./planned-run.js";
import { epochAfter } from "./run-plan.js";
import type { RunProgress } from "./trainer-state.js";
import type { TrainingConfig } from "./training-config.js";

/** What a run knows of itself at its end. */
export interface EndedRun {
  progress: RunProgress;
  args: TrainingConfig;
  elapsedMs: number;
  /** The most that the device held. */
  peakBytes: number;
}

/**
 * What a run came to, in the names of transformers' `TrainOutput`; it is logged too, unless the run had been finished before. Speeds are those of the whole
 * run, whatever step it went on from, as transformers has them.
 */
export function trainOutput(
  { counts, memory, isFinished }: Pick<PlannedRun, "counts" | "memory" | "isFinished">,
  { progress, args, elapsedMs, peakBytes }: EndedRun,
): TrainOutput {
  const seconds = elapsedMs / 1000;
  const updates = progress.globalStep; // fewer than were planned where the run stopped early
  const ofWhole = args.maxSteps > 0 ? counts.totalUpdates * counts.rowsPerUpdate : counts.numRows * args.numTrainEpochs;
  const samples = (ofWhole * updates) / counts.totalUpdates;
  const trainingLoss = progress.totalLoss / Math.max(1, progress.globalStep);
  const metrics = {
    train_runtime: round(seconds, 4),
    train_samples_per_second: isFinished ? 0 : round(samples / seconds, 3),
    train_steps_per_second: isFinished ? 0 : round(updates / seconds, 3),
    total_flos: progress.totalFlos,
    train_loss: trainingLoss,
    epoch: epochAfter(progress.globalStep, counts, args),
  };
  if (!isFinished) progress.logHistory.push({ ...metrics, step: progress.globalStep });
  return { globalStep: progress.globalStep, trainingLoss, metrics, peakGpuMemoryBytes: peakBytes, plannedGpuMemoryBytes: memory.peakBytes };
}
