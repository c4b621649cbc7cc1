import type { PreparedKtoDataset } from "./data/index.js";
import type { MemoryPlan } from "./memory-plan.js";
import type { RunPlan } from "./run-plan.js";
import type { LogRecord } from "./trainer-state.js";

/** Something a user interface may want to show. */
export type TrainerEvent =
  | { type: "prepare"; split: "train" | "eval"; done: number; total: number }
  | { type: "prepared"; split: "train" | "eval"; data: PreparedKtoDataset }
  | { type: "plan"; plan: RunPlan; numWarmupUpdates: number; resumedFrom: string | undefined; startStep: number }
  | { type: "memory"; plan: MemoryPlan }
  | { type: "precompute"; done: number; total: number }
  | { type: "microBatch"; step: number; index: number; count: number }
  | { type: "update"; step: number; totalUpdates: number; numTokens: number; elapsedMs: number; gpuMemoryBytes: number }
  | { type: "log"; log: TrainLog }
  | { type: "evaluateProgress"; done: number; total: number }
  | { type: "evaluate"; record: LogRecord }
  | { type: "checkpoint"; step: number; path: string }
  | { type: "checkpointRemoved"; name: string };

/** One logging step. `metrics` has trl's keys (`rewards/chosen`, `logps/rejected`, `kl`, …). */
export interface TrainLog {
  step: number;
  epoch: number;
  loss: number;
  gradNorm: number;
  learningRate: number;
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
