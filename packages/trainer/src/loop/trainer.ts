import type { Store } from "@kto/core";
import type { PeftModel } from "@kto/lora";
import type { RowSequence } from "../data/row-sequence.js";
import type { SourceRow } from "../data/rows.js";
import { adviseOnMemory } from "../memory/memory-advice.js";
import { wholeBatches } from "../memory/passes.js";
import type { MakeReference, Reference } from "../scoring/reference.js";
import { adapterPolicy } from "./adapter-policy.js";
import { Agreement } from "./agreement.js";
import { alone } from "./collective.js";
import { TrainerUsageError } from "./errors.js";
import { evaluateRows } from "./evaluate.js";
import type { TrainLog, TrainOutput } from "./events.js";
import { factsOfRun } from "./facts-of-run.js";
import { canSum } from "./file-sums.js";
import { fullPolicy } from "./full-policy.js";
import type { MethodContext, PreparedRows } from "./method.js";
import { runOutput } from "./output.js";
import { PlannedRun } from "./planned-run.js";
import { epochAfter, type RunPlan } from "./run-plan.js";
import { precomputing, useOfReference, type RunSetting } from "./run-parts.js";
import { expectSameRun, sumsOfRun } from "./same-run.js";
import { saveTrained } from "./save-trained.js";
import { trainPlanned } from "./train-planned.js";
import { expectOptions, trainedModel, type NamedModel } from "./trained-model.js";
import type { EvaluationOptions, PlanOptions, RunOptions, TrainerOptions, TrainOptions } from "./trainer-options.js";
import { TrainingRun } from "./training-run.js";
import { formatTrainerState, freshProgress, type LogRecord, type RunProgress } from "./trainer-state.js";
import type { TrainingConfig } from "./training-config.js";
import { writeErrorInRun } from "./write-in-run.js";

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
  readonly #setting: RunSetting<Row>;
  readonly #ownsAdapter: boolean;
  readonly #prepared: { train?: Prepared | undefined; eval?: Prepared | undefined };
  #counts: RunPlan | undefined;
  /** The policy as the run found it, once there is a run: what an evaluation after it compares with too. */
  #references: MakeReference | undefined;
  #hasTrained = false;

  constructor(options: TrainerOptions<Row, Prepared, Config>) {
    const { name = "Trainer", args, peftConfig, model } = expectOptions(options?.name ?? "Trainer", options);
    const { adapted, isNew } = trainedModel(name, { model, peftConfig, seed: args.seed });
    const { method, chatTemplate, output, trackers, referenceCache, onEvent } = options;
    const tokenizer = options.tokenizer ?? adapted.base.tokenizer;
    this.#options = { ...options, name, tokenizer };
    this.model = adapted;
    this.args = args;
    this.#ownsAdapter = isNew;
    const policy = adapted.adapters.size > 0 ? adapterPolicy(adapted) : fullPolicy(name, adapted.base);
    this.#setting = {
      method,
      args,
      model: adapted,
      policy,
      collective: options.collective ?? alone,
      output: output && runOutput(output),
      trackers,
      referenceCache,
      progress: this.progress,
      belongings: () => ({ tokenizer, chatTemplate, modelFiles: policy.isWholeModel ? adapted.base.files?.directory : undefined }),
      emit: (event) => onEvent?.(event),
    };
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
    const onProgress = (progress: { done: number; total: number }): void => this.#setting.emit({ type: "prepare", split, ...progress });
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
    const rowsOf = async (split: "train" | "eval"): Promise<RowSequence<Row>> => (await this.prepare(split, signal)).rows;
    const facts = await factsOfRun(this.#setting, { rowsOf, resumeFrom });
    this.#counts = facts.counts;
    return new PlannedRun(facts, {
      expectSameOnRanks: (run) => this.#expectSameOnRanks(run),
      train: (run, options) => new TrainingRun(this.#train(() => Promise.resolve(run), options)),
    });
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
    const agreement = new Agreement(this.#setting.collective, options.signal);
    const context = { model: this.#setting.policy, reference, layout: wholeBatches };
    return await this.#evaluate(context, { agreement, onScores: options.onScores }).catch((error: unknown) => {
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
    const context = { model: this.#setting.policy, reference, layout: wholeBatches };
    const rows = await this.#options.method
      .precompute?.(context, data.rows, precomputing(this.#setting, data.rows, signal))
      .catch((error: unknown) => {
        throw adviseOnMemory(error, ["precomputeRefBatchSize", "maxLength"]);
      });
    return { ...data, rows: rows ?? data.rows };
  }

  /** The text of `trainer_state.json`. Throws TrainerUsageError before a run was planned. */
  state(): string {
    if (!this.#counts) throw new TrainerUsageError("trainer: there is no state before a run is planned; call plan() or train() first");
    const pathOf = (checkpoint: string): string => this.#setting.output?.store.folder(checkpoint).name ?? checkpoint;
    return formatTrainerState(this.progress, this.args, this.#counts, { method: this.#setting.method.name, pathOf });
  }

  /**
   * Writes the adapter as peft lays it out, or all weights in f32 as transformers does, the tokenizer's files, a model card and `trainer_state.json`, to `output` unless another store is given.
   * Throws TrainerUsageError where there is neither, WriteError when the store refuses.
   */
  async saveModel(store: Store | undefined = this.#setting.output?.store): Promise<void> {
    if (!store)
      throw new TrainerUsageError(
        "saveModel: there is no place to write to; expected a store, got none; pass one, or give the trainer an output",
      );
    const { method, policy, collective, belongings } = this.#setting;
    if (collective.rank > 0) return;
    await saveTrained(store, { policy, belongings: belongings(), tag: method.name, state: this.#counts && this.state() });
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
      const store = this.#setting.output?.store;
      throw adviseOnMemory(store ? await writeErrorInRun(error, store) : error, whatSavesMemory);
    } finally {
      options.control?.end();
    }
  }

  async *#run(plan: () => Promise<PlannedRun>, { signal, control }: RunOptions): AsyncGenerator<TrainLog, TrainOutput, undefined> {
    const setting = this.#setting;
    const { method, policy, collective } = setting;
    if (this.#hasTrained)
      throw new TrainerUsageError(
        "train: this trainer has trained already; expected one run a trainer; make a new one, or resume from a checkpoint with it",
      );
    this.#hasTrained = true;
    const run = await plan().catch((error: unknown) => {
      this.#hasTrained = false; // a run that was refused may be asked for again
      throw error;
    });
    await run.expectSameOnRanks();
    const use = useOfReference(setting);
    const isEvaluatedLater = this.#options.evalDataset !== undefined || this.#prepared.eval !== undefined;
    const agreement = new Agreement(collective, signal);
    const references = await policy.references(method.reference, isEvaluatedLater ? [use, "afterwards"] : [use]);
    this.#references = references;
    this.result = yield* trainPlanned(run, setting, {
      rows: (await this.prepare("train")).rows,
      references,
      evaluate: (context) => this.#evaluate(context, { agreement }),
      state: () => this.state(),
      agreement,
      control,
    });
    return this.result;
  }

  /** The reference of an evaluation outside of a run: that of the run where there was one. */
  async #reference(): Promise<Reference> {
    const use = this.#references ? "afterwards" : "unchanged";
    const references = this.#references ?? (await this.#setting.policy.references(this.#options.method.reference, [use]));
    return references(use);
  }

  /** Throws RanksError where the ranks of a run were not started with the same. */
  async #expectSameOnRanks(run: PlannedRun): Promise<void> {
    const { collective, args } = this.#setting;
    if (collective.size === 1 || !canSum()) return;
    const { rows } = await this.prepare("train");
    const evalRows = args.evalStrategy === "no" ? [] : (await this.prepare("eval")).rows;
    const { agreeOn } = this.#options;
    await expectSameRun(collective, await sumsOfRun(run, this.#setting, { rows, evalRows, agreeOn }));
  }

  async #evaluate(
    context: MethodContext,
    { agreement, onScores }: Pick<EvaluationOptions, "onScores"> & { agreement: Agreement },
  ): Promise<LogRecord> {
    const { method, args, collective, progress, emit } = this.#setting;
    const { rows } = await this.prepare("eval", agreement.own);
    const onProgress = (done: number): void => emit({ type: "evaluateProgress", done, total: rows.length });
    const batchSize = args.perDeviceEvalBatchSize;
    const evaluated = await evaluateRows({ method, context, collective }, rows, { batchSize, agreement, onScores, onProgress });
    const results = { ...evaluated, eval_num_tokens: progress.numTokens };
    if (!this.#counts) return results;
    const record = { ...results, epoch: epochAfter(progress.globalStep, this.#counts, args), step: progress.globalStep };
    progress.logHistory.push(record);
    emit({ type: "evaluate", record });
    return record;
  }
}
