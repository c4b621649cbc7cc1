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
}

/** What a run was told, to compare with what one that goes on from it is told. */
export interface RunSettings {
  numRows: number;
  args: Readonly<Record<string, unknown>>;
}

/** A `trainer_state.json`. */
export interface TrainerState {
  progress: RunProgress;
  /** Undefined in files from before they were kept. */
  settings: RunSettings | undefined;
}

/** Progress of a run that has not begun. */
export function freshProgress(): RunProgress {
  return { globalStep: 0, logHistory: [], totalLoss: 0, totalFlos: 0, numTokens: 0, window: { losses: [], metrics: [], gradNorm: null } };
}

/** `trainer_state.json` in transformers' layout; what only we need is under `kto`. */
export function formatTrainerState(progress: RunProgress, args: TrainingConfig, plan: RunPlan): string {
  return `${JSON.stringify(
    {
      best_global_step: null,
      best_metric: null,
      best_model_checkpoint: null,
      epoch: epochAfter(progress.globalStep, plan, args),
      eval_steps: args.evalSteps ?? args.loggingSteps,
      global_step: progress.globalStep,
      is_hyper_param_search: false,
      is_local_process_zero: true,
      is_world_process_zero: true,
      kto: {
        arguments: args,
        num_rows: plan.numRows,
        num_tokens: progress.numTokens,
        total_loss: progress.totalLoss,
        window: progress.window,
      },
      log_history: progress.logHistory,
      logging_steps: args.loggingSteps,
      max_steps: plan.totalUpdates,
      num_input_tokens_seen: 0,
      num_train_epochs: args.maxSteps > 0 ? plan.numEpochs : args.numTrainEpochs,
      save_steps: args.saveSteps,
      stateful_callbacks: {},
      total_flos: progress.totalFlos,
      train_batch_size: args.perDeviceTrainBatchSize,
      trial_name: null,
      trial_params: null,
    },
    null,
    2,
  )}\n`;
}

/** What of `trainer_state.json` is ours. */
interface OwnState {
  arguments?: Record<string, unknown>;
  num_rows?: number;
  num_tokens: number;
  total_loss: number;
  window: RunProgress["window"];
}

/** Reads what `formatTrainerState` wrote; undefined if it is not such a file. */
export function parseTrainerState(text: string): TrainerState | undefined {
  try {
    const state = JSON.parse(text) as Record<string, unknown>;
    const own = state["kto"] as OwnState | undefined;
    if (!own || typeof state["global_step"] !== "number" || !Array.isArray(state["log_history"])) return undefined;
    return {
      progress: {
        globalStep: state["global_step"],
        logHistory: state["log_history"] as LogRecord[],
        totalLoss: own.total_loss,
        totalFlos: state["total_flos"] as number,
        numTokens: own.num_tokens,
        window: own.window,
      },
      settings: own.arguments && own.num_rows !== undefined ? { args: own.arguments, numRows: own.num_rows } : undefined,
    };
  } catch {
    return undefined;
  }
}
