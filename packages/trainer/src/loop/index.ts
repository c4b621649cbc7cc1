export { CheckpointError, type DamagedFile } from "./checkpoint-error.js";
export { checkpointFiles, checkpointName, checkpointStep, listCheckpoints } from "./checkpoint-names.js";
export type { Collective } from "./collective.js";
export type { SettingDifference } from "./differences.js";
export { TrainerUsageError } from "./errors.js";
export type { TrainerEvent, TrainLog, TrainOutput } from "./events.js";
export {
  nothingBefore,
  type BackwardPass,
  type BackwardPassTogether,
  type BeforeLoss,
  type Method,
  type MethodContext,
  type NamedTensors,
  type NamedValues,
  type PrecomputeOptions,
  type PreparedRows,
  type RecordedTensors,
} from "./method.js";
export { NonFiniteLossError } from "./non-finite.js";
export type { RunOutput } from "./output.js";
export type { PlannedRun } from "./planned-run.js";
export { epochAfter, planRun, type PlaceInData, type RunPlan } from "./run-plan.js";
export type { NamedModel, TrainableModel } from "./trained-model.js";
export { logMetrics, type TrackedRun, type Tracker } from "./tracker.js";
export { Trainer } from "./trainer.js";
export type { EvaluationOptions, PlanOptions, RunOptions, SharedTrainerOptions, TrainerOptions, TrainOptions } from "./trainer-options.js";
export type { LogRecord, RunProgress } from "./trainer-state.js";
export { trainingConfig, type TrainingConfig } from "./training-config.js";
export { type ControlledRun, TrainingControl } from "./training-control.js";
export type { TrainingRun } from "./training-run.js";
export { writeErrorInRun } from "./write-in-run.js";
