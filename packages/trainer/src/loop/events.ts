import type { KeptNumbers } from "../scoring/kept-numbers.js";
import type { LogRecord } from "./trainer-state.js";

/** Something a user interface may want to show while a run goes on. What a run will do is told by `plan()`. */
export type TrainerEvent =
  | { type: "prepare"; split: "train" | "eval"; done: number; total: number }
  | { type: "precompute"; done: number; total: number }
  /** What was computed beforehand is kept there, or was found there. */
  | ({ type: "referenceCache" } & KeptNumbers)
  | { type: "microBatch"; step: number; index: number; count: number }
  | {
      type: "update";
      step: number;
      /** Updates that were done before this run, where it goes on from a checkpoint. */
      startStep: number;
      totalUpdates: number;
      numTokens: number;
      /** Without what a `TrainingControl` held up. */
      elapsedMs: number;
      gpuMemoryBytes: number;
    }
  | { type: "log"; log: TrainLog }
  | { type: "evaluateProgress"; done: number; total: number }
  | { type: "evaluate"; record: LogRecord }
  | { type: "checkpoint"; step: number; path: string }
  | { type: "checkpointRemoved"; name: string }
  /** A `TrainingControl` holds the run up after this update, and has let it go on. */
  | { type: "pause"; step: number }
  | { type: "resume"; step: number; pausedMs: number }
  /** The run ends before its last update: so many evaluations in a row were no progress. */
  | { type: "earlyStop"; step: number; evaluations: number }
  /** At the end of a run that goes by a metric. */
  | {
      type: "bestModel";
      /** With its prefix: `eval_loss`. */
      metric: string;
      /** The best there was, and the update after which it was measured; undefined where no checkpoints are written. */
      value: number;
      step: number | undefined;
      /** The best checkpoint that was written; undefined where there is none. */
      checkpoint: string | undefined;
      /** Whether the model was to end with its weights, and whether it has. */
      isWanted: boolean;
      isLoaded: boolean;
    }
  /** A run goes on from an older checkpoint, since a file of this one is not what was written. */
  | { type: "checkpointDamaged"; name: string; file: string; problem: string };

/** One logging step. `metrics` has trl's keys (`rewards/chosen`, `logps/rejected`, `kl`, …). */
export interface TrainLog {
  step: number;
  epoch: number;
  loss: number;
  gradNorm: number;
  learningRate: number;
  /** Of methods that have rewards. */
  rewards: { chosen: number | undefined; rejected: number | undefined; margins: number | undefined };
  metrics: Record<string, number>;
  stepTimeMs: number;
  tokensPerSecond: number;
  samplesPerSecond: number;
  gpuMemoryBytes: number;
}

/** What a finished run reports; transformers' names in camelCase. */
export interface TrainOutput {
  globalStep: number;
  trainingLoss: number;
  metrics: {
    train_runtime: number;
    train_samples_per_second: number;
    train_steps_per_second: number;
    total_flos: number;
    train_loss: number;
    epoch: number;
  };
  peakGpuMemoryBytes: number;
  plannedGpuMemoryBytes: number;
}
