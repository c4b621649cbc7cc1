import { excerpt, type ByteDirectory, type Store } from "@kto/core";
import type { DataRow, Dataset } from "@kto/datasets";
import type { LoraConfig, PeftModel } from "@kto/lora";
import { createOptimizer, createSchedule, type Optimizer, type Schedule } from "@kto/optim";
import type { CausalLM, ParameterBucket } from "@kto/tensor";
import { TrainerConfigError } from "../config/check-config.js";
import type { SourceRow } from "../data/rows.js";
import type { Tokenizer } from "../data/tokenizer.js";
import { adviseOnMemory } from "../memory/memory-advice.js";
import { wholeBatches } from "../memory/passes.js";
import { planRunMemory } from "../memory/run-memory.js";
import { initialAdapter, makeReference, type InitialAdapter, type Reference } from "../scoring/reference.js";
import { writeCheckpoint } from "./checkpoint.js";
import { checkpointName, listCheckpoints } from "./checkpoint-names.js";
import { alone, type Collective } from "./collective.js";
import { adapterDifferences, settingDifferences } from "./differences.js";
import { TrainerUsageError } from "./errors.js";
import { evaluateRows } from "./evaluate.js";
import type { TrainerEvent, TrainLog, TrainOutput } from "./events.js";
import { findCheckpoint } from "./find-checkpoint.js";
import type { Method, PreparedRows } from "./method.js";
import { recordMicroBatch } from "./micro-batch.js";
import { runOutput, type RunOutput } from "./output.js";
import { PlannedRun } from "./planned-run.js";
import { rowOrder } from "./row-order.js";
import { epochAfter, microBatchesOfUpdate, planRun, type RunPlan } from "./run-plan.js";
import { saveTrained } from "./save-trained.js";
import { trainLoop } from "./train-loop.js";
import { trainOutput } from "./train-output.js";
import { expectOptions, refuseModulesInFull, trainedModel, type TrainableModel } from "./trained-model.js";
import { TrainingRun } from "./training-run.js";
import { formatTrainerState, freshProgress, type LogRecord, type RunProgress } from "./trainer-state.js";
import type { TrainingConfig } from "./training-config.js";
import { writeErrorInRun } from "./write-in-run.js";
import { rehearseMicroBatch, rehearseOptimizer, type UpdateContext } from "./update.js";

/** The fields whose lower values need less memory in training. */
const whatSavesMemory = ["perDeviceTrainBatchSize", "maxLength"];

/** What every trainer is told besides its method and arguments. */
export interface SharedTrainerOptions<Prepared> {
  /** A base model, with `peftConfig`; or one that carries the adapter to train. */
  model: TrainableModel;
  /** A fresh adapter of this config is put on the base model, with values from `args.seed`. */
  peftConfig?: Partial<LoraConfig> | undefined;
  /** Default: the model's own `tokenizer`. Not needed for rows that are tokenised already. */
  tokenizer?: Tokenizer | undefined;
  trainDataset?: Dataset<DataRow> | undefined;
  evalDataset?: Dataset<DataRow> | undefined;
  /** Data that the method prepared with the same settings, in place of the datasets. */
  prepared?: { train?: Prepared | undefined; eval?: Prepared | undefined } | undefined;
  /** Jinja text in place of the tokenizer's own template. */
  chatTemplate?: string | undefined;
  /** Where checkpoints and the trained model go; without it no checkpoints are written. */
  output?: Store | RunOutput | undefined;
  /** The other trainers of the run; default none. */
  collective?: Collective | undefined;
  /** Told of progress. */
  onEvent?: ((event: TrainerEvent) => void) | undefined;
}

/** What a `Trainer` is made of. */
export interface TrainerOptions<
  Row extends SourceRow,
  Prepared extends PreparedRows<Row>,
  Config extends TrainingConfig = TrainingConfig,
> extends SharedTrainerOptions<Prepared> {
  method: Method<Row, Prepared>;
  args: Config;
  /** What errors call the trainer; default `Trainer`. */
  name?: string | undefined;
}

/** Options of `Trainer.plan`. */
export interface PlanOptions {
  signal?: AbortSignal | undefined;
  /** Name of a checkpoint in `output`, or true for the newest there that is whole, if any; or the folder of a checkpoint somewhere else. */
  resumeFrom?: string | true | ByteDirectory | undefined;
}

/**
 * Trains adapters by any method, with the numbers of transformers and trl: order of rows, accumulation, schedule, logging, evaluation and checkpoints.
 * `KTOTrainer` and its kin are it with a method and that method's arguments. Each trainer trains once. Throws TrainerUsageError for options that cannot work.
 */
export class Trainer<
  Row extends SourceRow,
  Prepared extends PreparedRows<Row> = PreparedRows<Row>,
  Config extends TrainingConfig = TrainingConfig,
> implements Disposable {
  /** The model with the adapter that is trained. */
  readonly model: PeftModel<CausalLM>;
  readonly args: Config;
  /** The log so far, under the names that transformers writes to `trainer_state.json`. */
  readonly progress: RunProgress = freshProgress();
  /** What a run came to, when it has finished. */
  result: TrainOutput | undefined;
  readonly #options: Omit<TrainerOptions<Row, Prepared, Config>, "model">;
  readonly #ownsAdapter: boolean;
  readonly #collective: Collective;
  readonly #output: RunOutput | undefined;
  readonly #prepared: { train?: Prepared | undefined; eval?: Prepared | undefined };
  #counts: RunPlan | undefined;
  /** The adapter as the run found it, once there is a run: what an evaluation after it compares with too. */
  #initial: InitialAdapter | undefined;
  #hasTrained = false;

  constructor(options: TrainerOptions<Row, Prepared, Config>) {
    const { name = "Trainer", args, peftConfig, model } = expectOptions(options?.name ?? "Trainer", options);
    const { adapted, tokenizer, isNew } = trainedModel(name, { model, peftConfig, seed: args.seed });
    this.#options = { ...options, name, tokenizer: options.tokenizer ?? tokenizer };
    this.model = adapted;
    this.args = args;
    this.#ownsAdapter = isNew;
    this.#collective = options.collective ?? alone;
    this.#output = options.output && runOutput(options.output);
    this.#prepared = { ...options.prepared };
  }

  /** Tokenises the data; `plan`, `train` and `evaluate` do it if it was not done. Throws DataPreparationError and RowError. */
  async prepare(split: "train" | "eval" = "train", signal?: AbortSignal): Promise<Prepared> {
    const known = this.#prepared[split];
    if (known) return known;
    const { method, trainDataset, evalDataset, tokenizer, chatTemplate } = this.#options;
    const dataset = split === "train" ? trainDataset : evalDataset;
    if (!dataset) throw new TrainerUsageError(`trainer: there is no ${split} dataset; pass ${split}Dataset`);
    const { maxLength } = this.args;
    const onProgress = (progress: { done: number; total: number }): void => this.#emit({ type: "prepare", split, ...progress });
    const data = await method.prepare(dataset, { maxLength, tokenizer, chatTemplate, signal, onProgress });
    this.#prepared[split] = data;
    return data;
  }

  /**
   * What the run will be: rows, updates, memory, and where it goes on. Nothing is trained, written or changed for it; `train()` of the result goes on from it.
   *
   * Throws OutOfMemoryError if the run does not fit into memory, FormatError for a checkpoint of another adapter or optimizer, CheckpointError for one that
   * is damaged; with `resumeFrom: true` only where none is whole: otherwise `damaged` of the run, and events, tell of those that were passed over.
   */
  plan(options: PlanOptions = {}): Promise<PlannedRun> {
    return this.#plan(options).catch((error: unknown) => {
      throw adviseOnMemory(error, whatSavesMemory);
    });
  }

  async #plan({ resumeFrom, signal }: PlanOptions): Promise<PlannedRun> {
    refuseModulesInFull(this.model);
    if (this.#collective.rank === 0) await this.#output?.check?.({ resumes: resumeFrom !== undefined });
    const { rows } = await this.prepare("train", signal);
    if (this.args.evalStrategy !== "no") await this.prepare("eval", signal);
    const counts = planRun(rows.length, this.args, this.#collective.size);
    const schedule = this.#schedule(counts);
    using parts = await this.#open();
    const adapter = this.model.activeAdapter;
    const { checkpoint, damaged } = await findCheckpoint(resumeFrom, this.#output?.store, { adapter, optimizer: parts.optimizer });
    for (const { checkpoint: name, file, problem } of damaged) this.#emit({ type: "checkpointDamaged", name, file, problem });
    const startStep = checkpoint?.state.progress.globalStep ?? 0;
    this.#counts = counts;
    return new PlannedRun(
      {
        counts,
        numWarmupUpdates: schedule.numWarmupUpdates,
        memory: this.#planMemory(parts, counts, startStep),
        checkpoint,
        damaged,
        differences: checkpoint
          ? [
              ...settingDifferences(checkpoint.state.settings, { numRows: rows.length, args: { ...this.args } }),
              ...adapterDifferences(checkpoint.adapterConfig, adapter.config, this.args),
            ]
          : [],
      },
      (run, options) => new TrainingRun(this.#train(() => Promise.resolve(run), options.signal)),
    );
  }

  /**
   * Trains: `for await (const log of trainer.train())` gives a log at every logging step, `await trainer.train()` the output at the end, which `result`
   * holds too.
   *
   * Throws as `plan` does, NonFiniteLossError if the loss is NaN or infinite, TrainerUsageError for a second run of the same trainer, and `signal.reason`
   * if it was cancelled (after the update in flight and its checkpoint).
   */
  train({ signal, resumeFrom }: PlanOptions = {}): TrainingRun {
    return new TrainingRun(this.#train(() => this.plan({ signal, resumeFrom }), signal));
  }

  /** Evaluates the eval dataset with the model as it is, after a run against the reference of that run. Keys begin with `eval_`. */
  async evaluate({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<LogRecord> {
    await this.prepare("eval", signal);
    using reference = await this.#reference();
    return await this.#evaluate({ model: this.model, reference, layout: wholeBatches }, signal).catch((error: unknown) => {
      throw adviseOnMemory(error, ["perDeviceEvalBatchSize", "maxLength"]);
    });
  }

  /** The text of `trainer_state.json`. Throws TrainerUsageError before a run was planned. */
  state(): string {
    if (!this.#counts) throw new TrainerUsageError("trainer: there is no state before a run is planned; call plan() or train() first");
    return formatTrainerState(this.progress, this.args, this.#counts);
  }

  /**
   * Writes the adapter as peft lays it out, the tokenizer's files, a model card and `trainer_state.json`, to `output` unless another store is given.
   * Throws TrainerUsageError where there is neither, WriteError when the store refuses.
   */
  async saveModel(store: Store | undefined = this.#output?.store): Promise<void> {
    if (!store)
      throw new TrainerUsageError(
        "saveModel: there is no place to write to; expected a store, got none; pass one, or give the trainer an output",
      );
    if (this.#collective.rank > 0) return;
    const { tokenizer, chatTemplate, method } = this.#options;
    await saveTrained(store, { model: this.model, tokenizer, chatTemplate, tag: method.name, state: this.#counts && this.state() });
  }

  /** Gone; throws TrainerUsageError. */
  get output(): never {
    throw new TrainerUsageError(`${this.#options.name}: output is what the run writes to; what it came to is in result`);
  }

  /** Takes the adapter off the base model again if `peftConfig` put it there; otherwise the model is its caller's. */
  dispose(): void {
    if (this.#ownsAdapter) this.model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async *#train(plan: () => Promise<PlannedRun>, signal: AbortSignal | undefined): AsyncGenerator<TrainLog, TrainOutput, undefined> {
    try {
      return yield* this.#run(plan, signal);
    } catch (error) {
      const store = this.#output?.store;
      throw adviseOnMemory(store ? await writeErrorInRun(error, store) : error, whatSavesMemory);
    }
  }

  async *#run(plan: () => Promise<PlannedRun>, signal: AbortSignal | undefined): AsyncGenerator<TrainLog, TrainOutput, undefined> {
    if (this.#hasTrained)
      throw new TrainerUsageError(
        "train: this trainer has trained already; expected one run a trainer; make a new one, or resume from a checkpoint with it",
      );
    this.#hasTrained = true;
    const run = await plan().catch((error: unknown) => {
      this.#hasTrained = false; // a run that was refused may be asked for again
      throw error;
    });
    const { model, progress } = this;
    const { device } = model;
    this.#initial = await initialAdapter(model);
    using parts = await this.#open();
    const rows = (await this.prepare("train")).rows;
    const isResumed = run.checkpoint !== undefined;
    const output = this.#collective.rank === 0 ? this.#output : undefined; // the others write nothing
    await output?.begin?.({ startStep: isResumed ? run.startStep : undefined });
    try {
      if (run.checkpoint) {
        run.checkpoint.restore(model, parts.optimizer);
        Object.assign(progress, structuredClone(run.checkpoint.state.progress));
      }
      device.memory.limitBytes = Math.min(run.memory.peakBytes, run.memory.budgetBytes ?? Infinity);
      device.memory.resetPeak();
      await device.recorder.warmUp();
      const started = performance.now();
      const context = { model, reference: parts.reference, layout: run.memory };
      const precomputed = await this.#options.method.precompute?.(context, rows, {
        signal,
        onProgress: (done) => this.#emit({ type: "precompute", done, total: rows.length }),
      });
      const schedule = this.#schedule(run.counts);
      for (const metric of progress.scheduleMetrics) schedule.observe?.(metric);
      yield* trainLoop({
        ...this.#updateContext(parts, run.counts, context),
        schedule,
        order: rowOrder(precomputed ?? rows, this.#options.method.shuffleSeed),
        progress,
        signal,
        emit: (event) => this.#emit(event),
        evaluate: async () => this.#follow(schedule, await this.#evaluate(context, signal)),
        save: this.#output && this.#collective.rank === 0 ? () => this.#save(parts.optimizer) : undefined,
      });
      this.result = trainOutput(run, {
        progress,
        args: this.args,
        elapsedMs: performance.now() - started,
        peakBytes: device.memory.info().peakBytes,
      });
      return this.result;
    } finally {
      device.memory.limitBytes = Infinity;
      await output?.end?.();
    }
  }

  #reference(): Promise<Reference> {
    return makeReference(this.model, this.#options.method.reference ?? "base", this.#initial);
  }

  /** What a run owns besides the adapter. */
  async #open(): Promise<RunParts> {
    const { args, model } = this;
    const parameters = model.activeAdapter.bucket;
    const optimizer = createOptimizer(args.optim, [parameters], {
      beta1: args.adamBeta1,
      beta2: args.adamBeta2,
      eps: args.adamEpsilon,
      weightDecay: args.weightDecay,
    });
    const gradients = parameters.like("gradients");
    const own = [gradients, optimizer];
    try {
      const reference = await this.#reference();
      return { reference, optimizer, gradients, [Symbol.dispose]: () => [...own, reference].forEach((part) => part[Symbol.dispose]()) };
    } catch (error) {
      for (const part of own) part.dispose();
      throw error;
    }
  }

  #schedule(counts: RunPlan): Schedule {
    const { args } = this;
    return createSchedule({
      name: args.lrSchedulerType,
      learningRate: args.learningRate,
      numTrainingSteps: counts.totalUpdates,
      warmupSteps: args.warmupSteps,
      kwargs: args.lrSchedulerKwargs,
    });
  }

  #updateContext({ optimizer, gradients }: RunParts, counts: RunPlan, context: UpdateContext<Row>["context"]): UpdateContext<Row> {
    return { method: this.#options.method, context, collective: this.#collective, args: this.args, counts, optimizer, gradients };
  }

  #planMemory(parts: RunParts, counts: RunPlan, startStep: number): ReturnType<typeof planRunMemory> {
    const { args, model } = this;
    const { method } = this.#options;
    const rows = this.#prepared.train!.rows;
    const evalRows = args.evalStrategy === "no" ? [] : this.#prepared.eval!.rows;
    const order = rowOrder(rows, method.shuffleSeed);
    const updatesLeft = Math.max(0, counts.totalUpdates - startStep);
    // Every epoch has the micro-batches of the first, unless rows are shuffled.
    const numUpdates = method.shuffleSeed === undefined ? Math.min(counts.updatesPerEpoch, updatesLeft) : updatesLeft;
    const trainingBatches = Array.from({ length: numUpdates }, (_, index) => startStep + index).flatMap((update) => {
      const ofEpoch = order(Math.floor(update / counts.updatesPerEpoch));
      return microBatchesOfUpdate(update, counts, args, this.#collective).map(({ start, end }) => ofEpoch.slice(start, end));
    });
    const { perDeviceEvalBatchSize: evalSize } = args;
    const run = (layout: UpdateContext<Row>["context"]["layout"]): UpdateContext<Row> =>
      this.#updateContext(parts, counts, { model, reference: parts.reference, layout });
    return planRunMemory<Row>({
      model: model.base,
      gradientCheckpointing: args.gradientCheckpointing,
      trainingBatches,
      evaluationBatches: Array.from({ length: Math.ceil(evalRows.length / evalSize) }, (_, index) =>
        evalRows.slice(index * evalSize, (index + 1) * evalSize),
      ),
      passesOf: (batch) => method.passes(batch),
      recordMicroBatch: (layout, batch, onForward) => rehearseMicroBatch(run(layout), batch, onForward),
      recordEvaluation: (layout, batch) => void recordMicroBatch(run(layout), batch, undefined),
      recordOptimizer: () => rehearseOptimizer(run(wholeBatches)),
    });
  }

  async #evaluate(context: UpdateContext<Row>["context"], signal: AbortSignal | undefined): Promise<LogRecord> {
    const { args, progress } = this;
    const { rows } = await this.prepare("eval", signal);
    const run = { method: this.#options.method, context, collective: this.#collective };
    const evaluated = await evaluateRows(run, rows, {
      batchSize: args.perDeviceEvalBatchSize,
      signal,
      onProgress: (done) => this.#emit({ type: "evaluateProgress", done, total: rows.length }),
    });
    const results = { ...evaluated, eval_num_tokens: progress.numTokens };
    if (!this.#counts) return results;
    const record = { ...results, epoch: epochAfter(progress.globalStep, this.#counts, args), step: progress.globalStep };
    progress.logHistory.push(record);
    this.#emit({ type: "evaluate", record });
    return record;
  }

  /** Tells the metric of an evaluation to a schedule that follows it. */
  #follow({ name, observe }: Schedule, record: LogRecord): void {
    if (!observe) return;
    const given = this.args.metricForBestModel ?? "loss";
    const metric = record[given.startsWith("eval_") ? given : `eval_${given}`];
    if (metric === undefined)
      throw new TrainerConfigError(
        {
          operation: "train",
          problem: `there is no metric for ${name} to follow`,
          expected: `{metricForBestModel} among ${Object.keys(record).join(", ")}`,
          got: excerpt(given),
          fields: ["metricForBestModel"],
        },
        "metricForBestModel",
      );
    observe(metric);
    this.progress.scheduleMetrics.push(metric);
  }

  async #save(optimizer: Optimizer): Promise<void> {
    const { store } = this.#output!;
    const { globalStep } = this.progress;
    const { saveTotalLimit } = this.args;
    const name = checkpointName(globalStep);
    await store.writeFolder(name, (folder) => writeCheckpoint(folder, this.model, optimizer, this.state()));
    this.#emit({ type: "checkpoint", step: globalStep, path: store.folder(name).name });
    if (saveTotalLimit === null) return;
    for (const old of (await listCheckpoints(store)).slice(0, -saveTotalLimit)) {
      await store.remove(old);
      this.#emit({ type: "checkpointRemoved", name: old });
    }
  }

  #emit(event: TrainerEvent): void {
    this.#options.onEvent?.(event);
  }
}

interface RunParts extends Disposable {
  reference: Reference;
  optimizer: Optimizer;
  gradients: ParameterBucket;
}
