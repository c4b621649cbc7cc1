import { freshBest, type BestProgress } from "./best-model.js";
import type { FileSum } from "./file-sums.js";
import { epochAfter, type RunPlan } from "./run-plan.js";
import type { TrainingConfig } from "./training-config.js";

/** transformers' name of the file. */
export const stateFile = "trainer_state.json";

/** One entry of the log, under the names that transformers and trl use. */
export type LogRecord = Record<string, number>;

/** What a run has done so far, beyond weights and moments: enough to go on with the same numbers. */
export interface RunProgress {
  globalStep: number;
  logHistory: LogRecord[];
  /** Sum of the losses of all updates. */
  totalLoss: number;
  totalFlos: number;
  numTokens: number;
  /** The unfinished logging window. */
  window: { losses: number[]; metrics: Record<string, number>[]; gradNorm: number | null };
  /** What a schedule that follows a metric was told so far. */
  scheduleMetrics: number[];
  /** The best model so far, where a metric says which it is. */
  best: BestProgress;
  /** The evaluation after this update was interrupted: a run that goes on begins with it. */
  owesEvaluation: boolean;
}

/** What a run was told, to compare with what one that goes on from it is told. */
export interface RunSettings {
  /** Name of the method; undefined in files from before it was kept. */
  method: string | undefined;
  numRows: number;
  numRanks: number;
  args: Readonly<Record<string, unknown>>;
}

/** A `trainer_state.json`. */
export interface TrainerState {
  progress: RunProgress;
  /** Undefined in files from before they were kept. */
  settings: RunSettings | undefined;
  /** Of a checkpoint: its other files as they were written. Empty in those from before sums were kept. */
  files: Readonly<Record<string, FileSum>>;
  /** SHA-256 of the state itself. */
  seal: string | undefined;
}

/** Progress of a run that has not begun. */
export function freshProgress(): RunProgress {
  return {
    globalStep: 0,
    logHistory: [],
    totalLoss: 0,
    totalFlos: 0,
    numTokens: 0,
    window: { losses: [], metrics: [], gradNorm: null },
    scheduleMetrics: [],
    best: freshBest(),
    owesEvaluation: false,
  };
}

/** What a state says of its run besides progress, arguments and counts. */
export interface StateOptions {
  /** Name of the method. */
  method: string;
  /** Where a checkpoint lies, by its name; default the name. */
  pathOf?(checkpoint: string): string;
}

/** `trainer_state.json` in transformers' layout; what only we need is under `kto`. */
export function formatTrainerState(
  progress: RunProgress,
  args: TrainingConfig,
  plan: RunPlan,
  { method, pathOf = (checkpoint) => checkpoint }: StateOptions,
): string {
  const { best } = progress;
  return `${JSON.stringify(
    {
      best_global_step: best.globalStep,
      best_metric: best.metric,
      best_model_checkpoint: best.checkpoint === null ? null : pathOf(best.checkpoint),
      epoch: epochAfter(progress.globalStep, plan, args),
      eval_steps: args.evalSteps ?? args.loggingSteps,
      global_step: progress.globalStep,
      is_hyper_param_search: false,
      is_local_process_zero: true,
      is_world_process_zero: true,
      kto: {
        method,
        arguments: args,
        num_rows: plan.numRows,
        ...(plan.numRanks > 1 && { num_ranks: plan.numRanks }),
        num_tokens: progress.numTokens,
        ...(progress.owesEvaluation && { owes_evaluation: true }),
        ...(progress.scheduleMetrics.length > 0 && { schedule_metrics: progress.scheduleMetrics }),
        total_loss: progress.totalLoss,
        window: progress.window,
      },
      log_history: progress.logHistory,
      logging_steps: args.loggingSteps,
      max_steps: plan.totalUpdates,
      num_input_tokens_seen: 0,
      num_train_epochs: args.maxSteps > 0 ? plan.numEpochs : args.numTrainEpochs,
      save_steps: args.saveSteps,
      stateful_callbacks: args.earlyStoppingPatience === null ? {} : { EarlyStoppingCallback: earlyStoppingState(best, args) },
      total_flos: progress.totalFlos,
      train_batch_size: args.perDeviceTrainBatchSize,
      trial_name: null,
      trial_params: null,
    },
    null,
    2,
  )}\n`;
}

/** What transformers' EarlyStoppingCallback keeps of itself. */
function earlyStoppingState({ patienceCounter }: BestProgress, args: TrainingConfig): object {
  return {
    args: { early_stopping_patience: args.earlyStoppingPatience, early_stopping_threshold: args.earlyStoppingThreshold },
    attributes: { early_stopping_patience_counter: patienceCounter },
  };
}
