import type { PeftModel } from "@kto/lora";
import type { ScoredRow } from "../data/rows.js";
import type { MemoryPlan } from "../memory/memory-plan.js";
import type { TokenScores } from "../scoring/score-tokens.js";
import type { TrainLog, TrainOutput } from "./events.js";
import type { RunPlan } from "./run-plan.js";
import type { NamedModel } from "./trained-model.js";
import type { LogRecord } from "./trainer-state.js";
import type { TrainingConfig } from "./training-config.js";

/** A run as trackers are told of it. */
export interface TrackedRun {
  /** Name of the method: `kto`. */
  method: string;
  args: TrainingConfig;
  /** Rows, updates and epochs. */
  counts: RunPlan;
  /** Updates that were done before, where the run goes on from a checkpoint. */
  startStep: number;
  memory: MemoryPlan;
  /** What is trained: at `start` as the run found it, before a checkpoint is restored; at `end` as it is saved. */
  model: PeftModel<NamedModel>;
  signal: AbortSignal | undefined;
  /** Log-probabilities of the tokens of rows that are scored, by the model as it is and by the reference of the run. */
  scoreTokens(rows: readonly ScoredRow[]): Promise<TokenScores>;
}

/**
 * Keeps what a run logs somewhere of its own: three methods. Each is awaited, and the run goes on when it is done; what one throws ends the run. Of several ranks
 * the first has trackers.
 */
export interface Tracker {
  /** Before the first update, or the first that is left. */
  start(run: TrackedRun): void | Promise<void>;
  /** At every logging step, and after every evaluation; names are those of `metrics.jsonl` and, of an evaluation, of `log_history`. */
  log(step: number, metrics: Readonly<LogRecord>): void | Promise<void>;
  /** When the run has ended, once for each `start`: with its output, or with undefined where it was interrupted or has failed. */
  end(result: TrainOutput | undefined): void | Promise<void>;
}

/** What a log says but its step, under the names of `metrics.jsonl`. */
export function logMetrics(log: TrainLog): LogRecord {
  return {
    epoch: log.epoch,
    loss: log.loss,
    grad_norm: log.gradNorm,
    learning_rate: log.learningRate,
    ...log.metrics,
    step_time_ms: log.stepTimeMs,
    tokens_per_second: log.tokensPerSecond,
    samples_per_second: log.samplesPerSecond,
    gpu_memory_bytes: log.gpuMemoryBytes,
  };
}

/** The trackers of a run. */
export class Trackers {
  readonly #given: readonly Tracker[];
  readonly #started: Tracker[] = [];

  constructor(trackers: readonly Tracker[] = []) {
    this.#given = trackers;
  }

  async start(run: TrackedRun): Promise<void> {
    for (const tracker of this.#given) {
      this.#started.push(tracker); // one that fails at its start is ended too
      await tracker.start(run);
    }
  }

  async log(step: number, metrics: Readonly<LogRecord>): Promise<void> {
    for (const tracker of this.#started) await tracker.log(step, metrics);
  }

  /** Ends those that have not ended, each whatever the others throw; throws the first of that. */
  async end(result?: TrainOutput): Promise<void> {
    const failures: unknown[] = [];
    for (const tracker of this.#started.splice(0)) {
      try {
        await tracker.end(result);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
