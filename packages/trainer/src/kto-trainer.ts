import type { DataRow, Dataset } from "@kto/datasets";
import type { PeftModel } from "@kto/lora";
import { createOptimizer, createSchedule, type Optimizer, type Schedule } from "@kto/optim";
import type { CausalLM, ParameterBucket, Tensor } from "@kto/tensor";
import { ktoConfig, type KTOConfig } from "./config/kto-config.js";
import { encodeCheckpoint, restoreCheckpoint } from "./checkpoint.js";
import { checkpointName, sortCheckpoints, type CheckpointStore } from "./checkpoint-store.js";
import { prepareKtoDataset, type KtoRow, type PreparedKtoDataset } from "./data/index.js";
import { evaluateRows, round } from "./evaluate.js";
import type { TrainerEvent, TrainLog, TrainOutput } from "./events.js";
import { readMicroBatches, tensorsOf } from "./kto-metrics.js";
import {
  ktoMicroBatch,
  precomputeReference,
  type BackwardPass,
  type KtoContext,
  type KtoMicroBatchResult,
  type PassLayout,
  type TrainingRow,
} from "./kto-micro-batch.js";
import type { MemoryPlan } from "./memory-plan.js";
import { expectFiniteLoss } from "./non-finite.js";
import { makeReference, type ReferenceKind } from "./reference.js";
import { planRunMemory } from "./run-memory.js";
import { dueAfter, epochAfter, microBatchesOfUpdate, planRun, type RunPlan } from "./run-plan.js";
import { takeLog } from "./take-log.js";
import type { Tokenizer } from "./tokenizer.js";
import { formatTrainerState, freshProgress, type LogRecord, type RunProgress } from "./trainer-state.js";

/** What `KTOTrainer` is made of. */
export interface KTOTrainerOptions {
  model: PeftModel<CausalLM>;
  /** Not needed for rows that are tokenised already. */
  tokenizer?: Tokenizer;
  trainDataset?: Dataset<DataRow>;
  evalDataset?: Dataset<DataRow>;
  /** Data that `prepareKtoDataset` prepared with the same settings, in place of the datasets. */
  prepared?: { train?: PreparedKtoDataset; eval?: PreparedKtoDataset };
  args?: Partial<KTOConfig>;
  /** Default `initial`: the adapter as it is now, or the base if it is fresh (B = 0). */
  reference?: ReferenceKind;
  /** True if the adapter is fresh, so that `initial` means the base and no copy is kept. Default false. */
  isFreshAdapter?: boolean;
  /** Jinja text in place of the tokenizer's own template. */
  chatTemplate?: string;
  /** Where checkpoints go; without it none are written. */
  checkpoints?: CheckpointStore;
  /**
   * Bytes of GPU memory that all buffers of the device may take together; the plan keeps to it (`gradientCheckpointing`). Without it nothing is known
   * of the device's memory, and `auto` checkpoints every layer.
   */
  memoryBudgetBytes?: number;
  onEvent?(event: TrainerEvent): void;
}

/** Options of `KTOTrainer.train`. */
export interface TrainOptions {
  /** Finishes the update in flight, writes a checkpoint, then rejects with `signal.reason`. */
  signal?: AbortSignal;
  /** Name of a checkpoint in `checkpoints`, or true for the newest. */
  resumeFrom?: string | true;
}

/**
 * KTO training of LoRA adapters with the numbers of trl 1.16: its order of rows, KL pairing, passes, accumulation, schedule, logging, evaluation
 * and checkpoints.
 */
export class KTOTrainer {
  readonly model: PeftModel<CausalLM>;
  readonly args: KTOConfig;
  /** The log so far, under the names that transformers writes to `trainer_state.json`. */
  readonly progress: RunProgress = freshProgress();
  /** Set when a run has finished. */
  output: TrainOutput | undefined;
  readonly #options: KTOTrainerOptions;
  #train: PreparedKtoDataset | undefined;
  #eval: PreparedKtoDataset | undefined;
  #plan: RunPlan | undefined;
  #memory: MemoryPlan | undefined;

  constructor(options: KTOTrainerOptions) {
    this.#options = options;
    this.model = options.model;
    this.args = ktoConfig(options.args);
    this.#train = options.prepared?.train;
    this.#eval = options.prepared?.eval;
  }

  /** Tokenises and pairs the data; `train` and `evaluate` do it if it was not done. Throws DataPreparationError and RowError. */
  async prepare(split: "train" | "eval" = "train", signal?: AbortSignal): Promise<PreparedKtoDataset> {
    const known = split === "train" ? this.#train : this.#eval;
    if (known) return known;
    const { trainDataset, evalDataset, tokenizer, chatTemplate, onEvent } = this.#options;
    const dataset = split === "train" ? trainDataset : evalDataset;
    if (!dataset) throw new TypeError(`KTOTrainer: no ${split} dataset; pass ${split}Dataset`);
    const { maxLength, perDeviceTrainBatchSize, lossType, desirableWeight, undesirableWeight } = this.args;
    const data = await prepareKtoDataset(dataset, {
      maxLength,
      perDeviceTrainBatchSize,
      lossType,
      desirableWeight,
      undesirableWeight,
      ...(tokenizer ? { tokenizer } : {}),
      ...(chatTemplate === undefined ? {} : { chatTemplate }),
      ...(signal ? { signal } : {}),
      onProgress: ({ done, total }) => onEvent?.({ type: "prepare", split, done, total }),
    });
    if (split === "train") this.#train = data;
    else this.#eval = data;
    onEvent?.({ type: "prepared", split, data });
    return data;
  }

  /**
   * Trains, and gives a log at every logging step. Afterwards `output` holds the result of the run.
   *
   * Throws NonFiniteLossError if the loss is NaN or infinite, OutOfMemoryError if the run does not fit into memory, `signal.reason` if it was cancelled
   * (after the update in flight and its checkpoint).
   */
  async *train({ signal, resumeFrom }: TrainOptions = {}): AsyncGenerator<TrainLog, TrainOutput, undefined> {
    const { args, model } = this;
    const prepared = await this.prepare("train", signal);
    if (args.evalStrategy !== "no") await this.prepare("eval", signal);
    const plan = (this.#plan = planRun(prepared.rows.length, args));
    const schedule = createSchedule({
      name: args.lrSchedulerType,
      learningRate: args.learningRate,
      numTrainingSteps: plan.totalUpdates,
      warmupSteps: args.warmupSteps,
      kwargs: args.lrSchedulerKwargs,
    });
    const parameters = model.activeAdapter.bucket;
    using reference = makeReference(model, this.#options.reference ?? "initial", { isFresh: this.#options.isFreshAdapter ?? false });
    using optimizer = createOptimizer(args.optim, [parameters], {
      beta1: args.adamBeta1,
      beta2: args.adamBeta2,
      eps: args.adamEpsilon,
      weightDecay: args.weightDecay,
    });
    using gradients = parameters.like("gradients");
    const resumedFrom = await this.#resume(resumeFrom, optimizer);
    this.#emit({ type: "plan", plan, numWarmupUpdates: schedule.numWarmupUpdates, resumedFrom, startStep: this.progress.globalStep });
    const run = { plan, schedule, optimizer, gradients, signal };
    try {
      this.#memory = this.#planMemory({ ...run, context: { model, reference, args, layout: wholeBatches }, rows: prepared.rows });
      this.#emit({ type: "memory", plan: this.#memory });
      const context: KtoContext = { model, reference, args, layout: this.#memory };
      await model.device.pipelines.warmUp();
      const rows = await this.#referenceRows(context, prepared.rows, signal);
      yield* this.#updates({ ...run, context, rows });
      return this.output!;
    } finally {
      model.device.pool.limitBytes = Infinity;
    }
  }

  /** Evaluates the eval dataset with the model as it is. Keys begin with `eval_`. */
  async evaluate({ signal }: { signal?: AbortSignal } = {}): Promise<LogRecord> {
    await this.prepare("eval", signal);
    using reference = makeReference(this.model, this.#options.reference ?? "initial", { isFresh: this.#options.isFreshAdapter ?? false });
    return this.#evaluate({ model: this.model, reference, args: this.args, layout: wholeBatches }, signal);
  }

  async *#updates(run: UpdateRun): AsyncGenerator<TrainLog, void, undefined> {
    const { context, plan, schedule, optimizer, signal } = run;
    const { progress, model } = this;
    const { device } = model;
    const started = performance.now();
    const startTokens = progress.numTokens;
    let windowStarted = started;
    let windowTokens = progress.numTokens;
    let pending: PendingUpdate[] = [];
    try {
      for (let step = progress.globalStep + 1; step <= plan.totalUpdates; step++) {
        const learningRate = schedule.rate(step - 1);
        const update = this.#recordUpdate(run, step, learningRate);
        pending.push(update);
        await device.sync();
        progress.globalStep = step;
        for (const { numTokens, numPaddedTokens } of update.results) {
          progress.numTokens += numTokens;
          progress.totalFlos += 6 * numPaddedTokens * model.base.numNonEmbeddingParameters;
        }
        const elapsedMs = performance.now() - started;
        this.#emit({
          type: "update",
          step,
          totalUpdates: plan.totalUpdates,
          numTokens: progress.numTokens - startTokens,
          elapsedMs,
          gpuMemoryBytes: device.memory().allocatedBytes,
        });

        const isLast = step === plan.totalUpdates;
        const due = dueAfter(step, plan, this.args);
        const isSaveDue = due.save && this.#options.checkpoints !== undefined;
        if (due.log || isSaveDue || due.evaluate || isLast || signal?.aborted) pending = await this.#collect(pending);
        if (due.log) {
          const now = performance.now();
          const seconds = (now - windowStarted) / 1000;
          const updates = progress.window.losses.length;
          const log = takeLog(progress, {
            learningRate,
            epoch: epochAfter(step, plan, this.args),
            stepTimeMs: (now - windowStarted) / updates,
            tokensPerSecond: (progress.numTokens - windowTokens) / seconds,
            samplesPerSecond: (updates * plan.rowsPerUpdate) / seconds,
            gpuMemoryBytes: device.memory().allocatedBytes,
          });
          this.#emit({ type: "log", log });
          yield log;
        }
        if (due.evaluate) {
          await this.#evaluate(context, signal).catch((error: unknown) => {
            if (!signal?.aborted) throw error; // an interrupted evaluation is left out, and the checkpoint written
          });
        }
        if (isSaveDue || (signal?.aborted && this.#options.checkpoints && !isLast)) await this.#save(optimizer, plan);
        if (due.log || due.evaluate || isSaveDue) {
          windowStarted = performance.now();
          windowTokens = progress.numTokens;
        }
        if (!isLast) signal?.throwIfAborted();
      }
      this.output = this.#finish(plan, performance.now() - started);
    } finally {
      for (const { results, gradNorm } of pending) for (const tensor of [...results.flatMap(tensorsOf), gradNorm]) tensor.dispose();
    }
  }

  #planMemory(run: UpdateRun): MemoryPlan {
    const { args, model } = this;
    const { context, plan, rows, optimizer, gradients } = run;
    return planRunMemory({
      model: model.base,
      args,
      plan,
      firstUpdate: this.progress.globalStep,
      rows,
      evalRows: args.evalStrategy === "no" ? [] : (this.#eval?.rows ?? []),
      budgetBytes: this.#options.memoryBudgetBytes,
      recordMicroBatch: (layout, batch, onForward) =>
        void this.#recordMicroBatch({ context: { ...context, layout }, gradients }, batch, { step: 0, index: 0, count: 1, onForward }),
      recordEvaluation: (layout, batch) => void ktoMicroBatch({ ...context, layout }, batch),
      recordOptimizer: () => {
        const { step } = optimizer;
        optimizer.apply([gradients], { learningRate: 0, maxGradNorm: args.maxGradNorm });
        optimizer.step = step;
      },
    });
  }

  /** Records the passes and the optimizer step of one update; nothing is read back. */
  #recordUpdate(run: UpdateRun, step: number, learningRate: number): PendingUpdate {
    const { plan, rows, optimizer, gradients } = run;
    const ranges = microBatchesOfUpdate(step - 1, plan, this.args);
    gradients.clear();
    const results = ranges.map(({ start, end }, index) => {
      const result = this.#recordMicroBatch(run, rows.slice(start, end), { step, index, count: ranges.length });
      this.#emit({ type: "microBatch", step, index, count: ranges.length });
      return result;
    });
    const gradNorm = optimizer.apply([gradients], { learningRate, maxGradNorm: this.args.maxGradNorm });
    return { step, learningRate, results, gradNorm };
  }

  /** Records one of the `count` micro-batches of an update and adds its share to the gradients. */
  #recordMicroBatch(
    { context, gradients }: Pick<UpdateRun, "context" | "gradients">,
    rows: readonly TrainingRow[],
    { step, index, count, onForward }: { step: number; index: number; count: number; onForward?: () => void },
  ): KtoMicroBatchResult {
    const { args, model } = this;
    const lossScale = args.lossScale === "auto" ? (model.base.dtype === "f16" ? 2 ** 14 : 1) : args.lossScale;
    const backwardPass: BackwardPass = {
      scale: lossScale / count,
      sink: gradients.sink(model.activeAdapter.bucket, 1 / lossScale),
      ...(onForward ? { onForward } : {}),
    };
    const pass = (): KtoMicroBatchResult => ktoMicroBatch(context, rows, backwardPass);
    return args.disableDropout ? pass() : model.withDropout(mixSeed(args.seed, step, index), pass);
  }

  /** Reads what updates left on the device into the logging window; throws NonFiniteLossError. */
  async #collect(pending: PendingUpdate[]): Promise<PendingUpdate[]> {
    const { window } = this.progress;
    for (const { step, learningRate, results, gradNorm } of pending) {
      const microBatches = await readMicroBatches(this.model.device, results);
      window.gradNorm = await gradNorm.item();
      gradNorm.dispose();
      const loss = microBatches.reduce((total, batch) => total + batch.loss, 0) / microBatches.length;
      const rows = results.flatMap(({ sourceIndices }) => sourceIndices);
      expectFiniteLoss(loss, { step, rows, learningRate });
      expectFiniteLoss(window.gradNorm, { step, rows, learningRate });
      window.losses.push(loss);
      window.metrics.push(...microBatches.map(({ metrics }) => metrics));
      this.progress.totalLoss += loss;
    }
    return [];
  }

  async #evaluate(context: KtoContext, signal?: AbortSignal): Promise<LogRecord> {
    const { rows } = await this.prepare("eval", signal);
    const results = await evaluateRows({ ...context, args: { ...context.args, precomputeRefLogProbs: false } }, rows, {
      ...(signal ? { signal } : {}),
      onProgress: (done) => this.#emit({ type: "evaluateProgress", done, total: rows.length }),
    });
    if (!this.#plan) return results;
    const record = { ...results, epoch: epochAfter(this.progress.globalStep, this.#plan, this.args), step: this.progress.globalStep };
    this.progress.logHistory.push(record);
    this.#emit({ type: "evaluate", record });
    return record;
  }

  async #save(optimizer: Optimizer, plan: RunPlan): Promise<void> {
    const store = this.#options.checkpoints!;
    const { progress, args } = this;
    const state = formatTrainerState(progress, args, plan, epochAfter(progress.globalStep, plan, args));
    const path = await store.save(checkpointName(progress.globalStep), await encodeCheckpoint(this.model, optimizer, state));
    this.#emit({ type: "checkpoint", step: progress.globalStep, path });
    if (args.saveTotalLimit === null) return;
    for (const name of sortCheckpoints(await store.list()).slice(0, -args.saveTotalLimit)) {
      await store.remove(name);
      this.#emit({ type: "checkpointRemoved", name });
    }
  }

  async #resume(from: string | true | undefined, optimizer: Optimizer): Promise<string | undefined> {
    if (from === undefined) return undefined;
    const store = this.#options.checkpoints;
    if (!store) throw new TypeError("KTOTrainer: resumeFrom needs checkpoints, the store that holds them");
    const name = from === true ? sortCheckpoints(await store.list()).at(-1) : from;
    if (name === undefined) return undefined;
    Object.assign(this.progress, await restoreCheckpoint(store, name, this.model, optimizer));
    return name;
  }

  async #referenceRows(context: KtoContext, rows: readonly KtoRow[], signal?: AbortSignal): Promise<readonly TrainingRow[]> {
    const { precomputeRefLogProbs, precomputeRefBatchSize, perDeviceTrainBatchSize } = this.args;
    if (!precomputeRefLogProbs) return rows;
    return precomputeReference(context, rows, {
      batchSize: precomputeRefBatchSize ?? perDeviceTrainBatchSize,
      ...(signal ? { signal } : {}),
      onProgress: (done) => this.#emit({ type: "precompute", done, total: rows.length }),
    });
  }

  #finish(plan: RunPlan, elapsedMs: number): TrainOutput {
    const { progress, args } = this;
    const seconds = elapsedMs / 1000;
    const samples = args.maxSteps > 0 ? plan.totalUpdates * plan.rowsPerUpdate : plan.numRows * args.numTrainEpochs;
    const trainingLoss = progress.totalLoss / Math.max(1, progress.globalStep);
    const metrics = {
      train_runtime: round(seconds, 4),
      train_samples_per_second: round(samples / seconds, 3),
      train_steps_per_second: round(plan.totalUpdates / seconds, 3),
      total_flos: progress.totalFlos,
      train_loss: trainingLoss,
      epoch: epochAfter(progress.globalStep, plan, args),
    };
    progress.logHistory.push({ ...metrics, step: progress.globalStep });
    return {
      globalStep: progress.globalStep,
      trainingLoss,
      metrics,
      peakGpuMemoryBytes: this.model.device.memory().peakBytes,
      plannedGpuMemoryBytes: this.#memory!.peakBytes,
    };
  }

  #emit(event: TrainerEvent): void {
    this.#options.onEvent?.(event);
  }
}

/** Every micro-batch in one pass, nothing run again: for passes without gradients. */
const wholeBatches: PassLayout = { checkpointedLayers: 0, tokensPerPass: Infinity };

interface UpdateRun {
  context: KtoContext;
  plan: RunPlan;
  schedule: Schedule;
  rows: readonly TrainingRow[];
  optimizer: Optimizer;
  gradients: ParameterBucket;
  signal: AbortSignal | undefined;
}

interface PendingUpdate {
  step: number;
  learningRate: number;
  results: KtoMicroBatchResult[];
  gradNorm: Tensor;
}

function mixSeed(seed: number, step: number, microBatch: number): number {
  return (Math.imul(seed, 0x9e3779b1) ^ Math.imul(step, 0x85ebca6b) ^ Math.imul(microBatch + 1, 0xc2b2ae35)) >>> 0;
}
