import type { Store } from "@kto/core";
import type { PeftModel } from "@kto/lora";
import type { Optimizer } from "@kto/optim";
import type { SourceRow } from "../data/rows.js";
import { adviseOnMemory } from "../memory/memory-advice.js";
import { wholeBatches } from "../memory/passes.js";
import type { MakeReference, Reference, ReferenceUse } from "../scoring/reference.js";
import { scoreTokens } from "../scoring/score-tokens.js";
import { adapterPolicy } from "./adapter-policy.js";
import { withBelongings, type Belongings } from "./belongings.js";
import { followedMetric, isStoppedEarly, resumedBest } from "./best-model.js";
import { listCheckpoints } from "./checkpoint-names.js";
import { alone, type Collective } from "./collective.js";
import { settingDifferences } from "./differences.js";
import { TrainerUsageError } from "./errors.js";
import { evaluateRows } from "./evaluate.js";
import type { TrainerEvent, TrainLog, TrainOutput } from "./events.js";
import { findCheckpoint } from "./find-checkpoint.js";
import { followEvaluation } from "./follow-evaluation.js";
import { fullPolicy } from "./full-policy.js";
import { planMemoryOfRun } from "./memory-of-run.js";
import type { PreparedRows } from "./method.js";
import { expectLogged } from "./metric-names.js";
import { runOutput, type RunOutput } from "./output.js";
import type { Policy } from "./policy.js";
import { PlannedRun } from "./planned-run.js";
import { rowOrder } from "./row-order.js";
import { epochAfter, planRun, type RunPlan } from "./run-plan.js";
import { openRunParts, runSchedule } from "./run-parts.js";
import { endWithBest, saveCheckpoint, type CheckpointedRun } from "./save-checkpoint.js";
import { saveTrained } from "./save-trained.js";
import { trainLoop } from "./train-loop.js";
import { trainOutput } from "./train-output.js";
import { expectOptions, trainedModel, type NamedModel } from "./trained-model.js";
import type { EvaluationOptions, PlanOptions, RunOptions, TrainerOptions, TrainOptions } from "./trainer-options.js";
import { logMetrics, Trackers, type TrackedRun } from "./tracker.js";
import { TrainingRun } from "./training-run.js";
import { formatTrainerState, freshProgress, type LogRecord, type RunProgress } from "./trainer-state.js";
import type { TrainingConfig } from "./training-config.js";
import { writeErrorInRun } from "./write-in-run.js";
import type { UpdateContext } from "./update.js";

/** The fields whose lower values need less memory in training. */
const whatSavesMemory = ["perDeviceTrainBatchSize", "maxLength"];

/**
 * Trains an adapter, or every weight of a model, by any method, with the numbers of transformers and trl: order of rows, accumulation, schedule, logging, evaluation and checkpoints.
 * `KTOTrainer` and its kin are it with a method and that method's arguments. Each trainer trains once. Throws TrainerUsageError for options that cannot work.
 */
export class Trainer<
  Row extends SourceRow,
  Prepared extends PreparedRows<Row> = PreparedRows<Row>,
  Config extends TrainingConfig = TrainingConfig,
> implements Disposable {
  /** The model with the adapter that is trained, or without one where every weight of its `base` is. */
  readonly model: PeftModel<NamedModel>;
  readonly args: Config;
  /** The log so far, under the names that transformers writes to `trainer_state.json`. */
  readonly progress: RunProgress = freshProgress();
  /** What a run came to, when it has finished. */
  result: TrainOutput | undefined;
  readonly #options: Omit<TrainerOptions<Row, Prepared, Config>, "model">;
  readonly #policy: Policy;
  readonly #ownsAdapter: boolean;
  readonly #collective: Collective;
  readonly #output: RunOutput | undefined;
  readonly #prepared: { train?: Prepared | undefined; eval?: Prepared | undefined };
  #counts: RunPlan | undefined;
  /** The policy as the run found it, once there is a run: what an evaluation after it compares with too. */
  #references: MakeReference | undefined;
  #hasTrained = false;

  constructor(options: TrainerOptions<Row, Prepared, Config>) {
    const { name = "Trainer", args, peftConfig, model } = expectOptions(options?.name ?? "Trainer", options);
    const { adapted, isNew } = trainedModel(name, { model, peftConfig, seed: args.seed });
    this.#options = { ...options, name, tokenizer: options.tokenizer ?? adapted.base.tokenizer };
    this.model = adapted;
    this.#policy = adapted.adapters.size > 0 ? adapterPolicy(adapted) : fullPolicy(name, adapted.base);
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
    const data = await method.prepare(dataset, { maxLength, tokenizer, chatTemplate, split, signal, onProgress });
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
    this.#policy.expectTrainable();
    if (this.args.loadBestModelAtEnd && !this.#output)
      throw new TrainerUsageError(
        "train: loadBestModelAtEnd takes the best model from its checkpoint, and there is no place for checkpoints; expected an output, got none; pass output",
      );
    if (this.#collective.rank === 0) await this.#output?.check?.({ resumes: resumeFrom !== undefined });
    const { rows } = await this.prepare("train", signal);
    const evalRows = this.args.evalStrategy === "no" ? [] : (await this.prepare("eval", signal)).rows;
    const counts = planRun(rows.length, this.args, this.#collective.size);
    const schedule = runSchedule(this.args, counts);
    const policy = this.#policy;
    const use = this.#useOfReference;
    policy.expectRoom(this.args, { keepsReference: use === "throughout" });
    const references = await policy.references(this.#options.method.reference, [use]);
    using parts = await openRunParts(policy, this.args, () => references(use));
    const { files } = policy;
    const { checkpoint, damaged } = await findCheckpoint(resumeFrom, this.#output?.store, { files, optimizer: parts.optimizer });
    for (const { checkpoint: name, file, problem } of damaged) this.#emit({ type: "checkpointDamaged", name, file, problem });
    const before = checkpoint?.state.progress;
    const startStep = before?.globalStep ?? 0;
    const isAtEnd = before !== undefined && (startStep >= counts.totalUpdates || isStoppedEarly(before.best, this.args));
    this.#counts = counts;
    const context = { model: policy, reference: parts.reference };
    const memory = planMemoryOfRun<Row>({ ...this.#context(counts), ...parts, context }, { rows, evalRows, startStep });
    expectLogged(this.args, { method: this.#options.method, context }, evalRows);
    return new PlannedRun(
      {
        counts,
        numWarmupUpdates: schedule.numWarmupUpdates,
        memory,
        checkpoint,
        damaged,
        differences: checkpoint
          ? [
              ...settingDifferences(checkpoint.state.settings, {
                method: this.#options.method.name,
                numRows: rows.length,
                args: { ...this.args },
              }),
              ...checkpoint.policy.differences(this.args),
            ]
          : [],
        isFinished: isAtEnd && !before.owesEvaluation,
      },
      (run, options) => new TrainingRun(this.#train(() => Promise.resolve(run), options)),
    );
  }

  /**
   * Trains: `for await (const log of trainer.train())` gives a log at every logging step, `await trainer.train()` the output at the end, which `result`
   * holds too.
   *
   * Throws as `plan` does, NonFiniteLossError if the loss is NaN or infinite, TrainerUsageError for a second run of the same trainer, and `signal.reason`
   * if it was cancelled (after the update in flight and its checkpoint). A `control` holds it up and has it write checkpoints.
   */
  train({ signal, resumeFrom, control }: TrainOptions = {}): TrainingRun {
    return new TrainingRun(this.#train(() => this.plan({ signal, resumeFrom }), { signal, control }));
  }

  /**
   * Evaluates the eval dataset with the model as it is, after a run against the reference of that run. Keys begin with `eval_`. `onScores` is given what is
   * known of each answer, a batch at a time, of methods that score whole answers: `preferenceMetrics` and `compareScores` make something of it.
   */
  async evaluate(options: EvaluationOptions = {}): Promise<LogRecord> {
    await this.prepare("eval", options.signal);
    using reference = await this.#reference();
    return await this.#evaluate({ model: this.#policy, reference, layout: wholeBatches }, options).catch((error: unknown) => {
      throw adviseOnMemory(error, ["perDeviceEvalBatchSize", "maxLength"]);
    });
  }

  /**
   * The eval data with what the reference says of it, where the method has one and `precomputeRefLogProbs` is set: as `prepared` of another trainer it stands for a
   * reference whose weights are not there any more.
   */
  async precomputeReference({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<Prepared> {
    const data = await this.prepare("eval", signal);
    using reference = await this.#reference();
    const context = { model: this.#policy, reference, layout: wholeBatches };
    const onProgress = (done: number): void => this.#emit({ type: "precompute", done, total: data.rows.length });
    const rows = await this.#options.method.precompute?.(context, data.rows, { signal, onProgress }).catch((error: unknown) => {
      throw adviseOnMemory(error, ["precomputeRefBatchSize", "maxLength"]);
    });
    return { ...data, rows: rows ?? data.rows };
  }

  /** The text of `trainer_state.json`. Throws TrainerUsageError before a run was planned. */
  state(): string {
    if (!this.#counts) throw new TrainerUsageError("trainer: there is no state before a run is planned; call plan() or train() first");
    const pathOf = (checkpoint: string): string => this.#output?.store.folder(checkpoint).name ?? checkpoint;
    return formatTrainerState(this.progress, this.args, this.#counts, { method: this.#options.method.name, pathOf });
  }

  /**
   * Writes the adapter as peft lays it out, or all weights in f32 as transformers does, the tokenizer's files, a model card and `trainer_state.json`, to `output` unless another store is given.
   * Throws TrainerUsageError where there is neither, WriteError when the store refuses.
   */
  async saveModel(store: Store | undefined = this.#output?.store): Promise<void> {
    if (!store)
      throw new TrainerUsageError(
        "saveModel: there is no place to write to; expected a store, got none; pass one, or give the trainer an output",
      );
    if (this.#collective.rank > 0) return;
    const state = this.#counts && this.state();
    await saveTrained(store, { policy: this.#policy, belongings: this.#belongings, tag: this.#options.method.name, state });
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

  async *#train(plan: () => Promise<PlannedRun>, options: RunOptions): AsyncGenerator<TrainLog, TrainOutput, undefined> {
    try {
      return yield* this.#run(plan, options);
    } catch (error) {
      const store = this.#output?.store;
      throw adviseOnMemory(store ? await writeErrorInRun(error, store) : error, whatSavesMemory);
    } finally {
      options.control?.end();
    }
  }

  async *#run(plan: () => Promise<PlannedRun>, { signal, control }: RunOptions): AsyncGenerator<TrainLog, TrainOutput, undefined> {
    if (control && this.#collective.size > 1)
      throw new TrainerUsageError(
        `train: a control holds up one trainer; expected no other rank, got ${this.#collective.size}; leave it out, or train on one device`,
      );
    if (this.#hasTrained)
      throw new TrainerUsageError(
        "train: this trainer has trained already; expected one run a trainer; make a new one, or resume from a checkpoint with it",
      );
    this.#hasTrained = true;
    const run = await plan().catch((error: unknown) => {
      this.#hasTrained = false; // a run that was refused may be asked for again
      throw error;
    });
    const { progress } = this;
    const policy = this.#policy;
    const { device } = policy;
    const use = this.#useOfReference;
    const isEvaluatedLater = this.#options.evalDataset !== undefined || this.#prepared.eval !== undefined;
    const references = await policy.references(this.#options.method.reference, isEvaluatedLater ? [use, "afterwards"] : [use]);
    this.#references = references;
    using parts = await openRunParts(policy, this.args, () => references(use));
    const rows = (await this.prepare("train")).rows;
    const isResumed = run.checkpoint !== undefined;
    const output = this.#collective.rank === 0 ? this.#output : undefined; // the others write nothing
    const trackers = new Trackers(this.#collective.rank === 0 ? this.#options.trackers : []);
    await output?.begin?.({ startStep: isResumed ? run.startStep : undefined });
    try {
      policy.noteChange();
      device.memory.limitBytes = Math.min(run.memory.peakBytes, run.memory.budgetBytes ?? Infinity);
      device.memory.resetPeak();
      await device.recorder.warmUp();
      await trackers.start(this.#tracked(run, parts.reference, signal));
      const started = performance.now();
      const context = { model: policy, reference: parts.reference, layout: run.memory };
      const precomputed = await this.#options.method.precompute?.(context, rows, {
        signal,
        onProgress: (done) => this.#emit({ type: "precompute", done, total: rows.length }),
      });
      if (run.checkpoint) {
        run.checkpoint.restore(parts.optimizer); // after the rows are scored by the policy as it was found
        const { progress: before, settings } = run.checkpoint.state;
        const names = this.#output ? await listCheckpoints(this.#output.store) : [];
        Object.assign(progress, structuredClone(before), { best: resumedBest(before.best, { args: this.args, settings, names }) });
      }
      const schedule = runSchedule(this.args, run.counts);
      const followed = { args: this.args, progress, collective: this.#collective };
      const checkpointed = this.#checkpointed(parts.optimizer);
      for (const metric of progress.scheduleMetrics) schedule.observe?.(metric);
      const logs = trainLoop({
        ...this.#context(run.counts),
        ...parts,
        context,
        schedule,
        order: rowOrder(precomputed ?? rows, this.#options.method.shuffleSeed),
        progress,
        signal,
        control,
        emit: (event) => this.#emit(event),
        evaluate: async () => {
          const { step, ...metrics } = await this.#evaluate(context, { signal });
          await trackers.log(step!, metrics);
          return followEvaluation(metrics, { ...followed, schedule });
        },
        save: checkpointed && ((isDue) => saveCheckpoint(checkpointed, () => this.state(), isDue)),
      });
      for await (const log of logs) {
        await trackers.log(log.step, logMetrics(log));
        yield log;
      }
      if (!run.isFinished && isStoppedEarly(progress.best, this.args))
        this.#emit({ type: "earlyStop", step: progress.globalStep, evaluations: progress.best.patienceCounter });
      const result = trainOutput(run, {
        progress,
        args: this.args,
        elapsedMs: performance.now() - started - (control?.pausedMs ?? 0),
        peakBytes: device.memory.info().peakBytes,
      });
      await this.#endWithBest(checkpointed);
      await trackers.end(result);
      this.result = { ...result, peakGpuMemoryBytes: device.memory.info().peakBytes }; // what trackers did counts
      return this.result;
    } finally {
      await trackers.end().catch(() => undefined); // those that are left: what ended the run is thrown
      device.memory.limitBytes = Infinity;
      await output?.end?.();
    }
  }

  /** A run as trackers are told of it. Of a whole model that changes there is a reference only where a copy of it is kept. */
  #tracked({ counts, memory, startStep }: PlannedRun, kept: Reference, signal: AbortSignal | undefined): TrackedRun {
    const { base, isWholeModel } = this.#policy;
    const reference = isWholeModel && this.#useOfReference !== "throughout" ? undefined : kept;
    const facts = { method: this.#options.method.name, args: this.args, model: this.model, counts, memory, startStep, signal };
    return { ...facts, scoreTokens: (rows) => scoreTokens({ base, reference }, rows) };
  }

  /** While the policy changes there is a reference to compare with, unless all that is asked of it is computed before. */
  get #useOfReference(): ReferenceUse {
    const isPrecomputed = this.#options.method.precompute !== undefined && this.args.evalStrategy === "no";
    return isPrecomputed || this.#options.method.reference === undefined ? "unchanged" : "throughout";
  }

  get #belongings(): Belongings {
    const { tokenizer, chatTemplate } = this.#options;
    return { tokenizer, chatTemplate, modelFiles: this.#policy.isWholeModel ? this.model.base.files?.directory : undefined };
  }

  /** The reference of an evaluation outside of a run: that of the run where there was one. */
  async #reference(): Promise<Reference> {
    const use = this.#references ? "afterwards" : "unchanged";
    const references = this.#references ?? (await this.#policy.references(this.#options.method.reference, [use]));
    return references(use);
  }

  /** What updates are recorded with, besides the parts that a run owns. */
  #context(counts: RunPlan): Pick<UpdateContext<Row>, "policy" | "method" | "collective" | "args" | "counts"> {
    return { policy: this.#policy, method: this.#options.method, collective: this.#collective, args: this.args, counts };
  }

  async #evaluate(context: UpdateContext<Row>["context"], { signal, onScores }: EvaluationOptions): Promise<LogRecord> {
    const { args, progress } = this;
    const { rows } = await this.prepare("eval", signal);
    const run = { method: this.#options.method, context, collective: this.#collective };
    const evaluated = await evaluateRows(run, rows, {
      batchSize: args.perDeviceEvalBatchSize,
      signal,
      onScores,
      onProgress: (done) => this.#emit({ type: "evaluateProgress", done, total: rows.length }),
    });
    const results = { ...evaluated, eval_num_tokens: progress.numTokens };
    if (!this.#counts) return results;
    const record = { ...results, epoch: epochAfter(progress.globalStep, this.#counts, args), step: progress.globalStep };
    progress.logHistory.push(record);
    this.#emit({ type: "evaluate", record });
    return record;
  }

  #checkpointed(optimizer: Optimizer): CheckpointedRun | undefined {
    const { progress, args } = this;
    const { rank } = this.#collective;
    const { files: own, isWholeModel } = this.#policy;
    const files = isWholeModel ? withBelongings(own, this.#belongings) : own;
    return this.#output && { store: this.#output.store, files, optimizer, progress, args, rank, emit: (event) => this.#emit(event) };
  }

  /** Leaves the model with the best weights where that was asked for, and says which those are. */
  async #endWithBest(run: CheckpointedRun | undefined): Promise<void> {
    const { best } = this.progress;
    const metric = followedMetric(this.args);
    const isWanted = this.args.loadBestModelAtEnd;
    if (this.#collective.size > 1) await this.#collective.gather([]); // the first has written what the others read
    const isLoaded = run !== undefined && (await endWithBest(run));
    if (!metric || best.metric === null) return;
    const checkpoint = best.checkpoint === null ? undefined : run?.store.folder(best.checkpoint).name;
    const step = best.globalStep ?? undefined;
    this.#emit({ type: "bestModel", metric: metric.name, value: best.metric, step, checkpoint, isWanted, isLoaded });
  }

  #emit(event: TrainerEvent): void {
    this.#options.onEvent?.(event);
  }
}
