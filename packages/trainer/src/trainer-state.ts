import type { KTOConfig } from "./config/kto-config.js";
import type { RunPlan } from "./run-plan.js";

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

/** Progress of a run that has not begun. */
export function freshProgress(): RunProgress {
  return { globalStep: 0, logHistory: [], totalLoss: 0, totalFlos: 0, numTokens: 0, window: { losses: [], metrics: [], gradNorm: null } };
}

/** `trainer_state.json` in transformers' layout; what only we need is under `kto`. */
export function formatTrainerState(progress: RunProgress, args: KTOConfig, plan: RunPlan, epoch: number): string {
  return `${JSON.stringify(
    {
      best_global_step: null,
      best_metric: null,
      best_model_checkpoint: null,
      epoch,
      eval_steps: args.evalSteps ?? args.loggingSteps,
      global_step: progress.globalStep,
      is_hyper_param_search: false,
      is_local_process_zero: true,
      is_world_process_zero: true,
      kto: { num_tokens: progress.numTokens, total_loss: progress.totalLoss, window: progress.window },
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

/** Reads what `formatTrainerState` wrote; undefined if it is not such a file. */
export function parseTrainerState(text: string): RunProgress | undefined {
  try {
    const state = JSON.parse(text) as Record<string, unknown>;
    const own = state.kto as { num_tokens: number; total_loss: number; window: RunProgress["window"] } | undefined;
    if (!own || typeof state.global_step !== "number" || !Array.isArray(state.log_history)) return undefined;
    return {
      globalStep: state.global_step,
      logHistory: state.log_history as LogRecord[],
      totalLoss: own.total_loss,
      totalFlos: state.total_flos as number,
      numTokens: own.num_tokens,
      window: own.window,
    };
  } catch {
    return undefined;
  }
}
