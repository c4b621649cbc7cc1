import type { Store } from "@kto/core";
import type { LoraConfig, PeftModel } from "@kto/lora";
import type { CausalLM } from "@kto/tensor";
import { dpoConfig, type DPOConfig } from "../config/dpo-config.js";
import type { TrainOutput } from "../loop/events.js";
import type { PlannedRun } from "../loop/planned-run.js";
import { Trainer, type PlanOptions, type SharedTrainerOptions } from "../loop/trainer.js";
import { refuseWrongOptions, trainedModel, type TrainableModel } from "../loop/trained-model.js";
import type { LogRecord, RunProgress } from "../loop/trainer-state.js";
import type { TrainingRun } from "../loop/training-run.js";
import type { ReferenceKind } from "../scoring/reference.js";
import { dpoMethod } from "./dpo-method.js";
import type { PairRow, PreparedDpoDataset } from "./prepare-dpo-dataset.js";

/** What `DPOTrainer` is made of. */
export interface DPOTrainerOptions extends SharedTrainerOptions<PreparedDpoDataset> {
  /** A base model, with `peftConfig`; or one that carries the adapter to train. */
  model: TrainableModel;
  /** A fresh adapter of this config is put on the base model, with values from `args.seed`. */
  peftConfig?: Partial<LoraConfig> | undefined;
  args?: Partial<DPOConfig> | undefined;
  /** Default `initial`: the adapter as the run finds it. */
  reference?: ReferenceKind | undefined;
}

/**
 * DPO training of LoRA adapters, with any of trl's losses of pairs and its numbers: its order of rows, passes, accumulation, schedule, logging, evaluation and
 * checkpoints. A trainer trains once. Throws TrainerConfigError for arguments and TrainerUsageError for options that cannot work.
 */
export class DPOTrainer implements Disposable {
  /** The model with the adapter that is trained. */
  readonly model: PeftModel<CausalLM>;
  readonly args: DPOConfig;
  readonly #trainer: Trainer<PairRow, PreparedDpoDataset>;
  readonly #ownsAdapter: boolean;

  constructor(options: DPOTrainerOptions) {
    refuseWrongOptions("DPOTrainer", options);
    const { model, peftConfig, args, reference, ...shared } = options;
    this.args = dpoConfig(args);
    const { adapted, tokenizer, isNew } = trainedModel("DPOTrainer", { model, peftConfig, seed: this.args.seed });
    this.model = adapted;
    this.#ownsAdapter = isNew;
    this.#trainer = new Trainer({ tokenizer, ...shared, method: dpoMethod(this.args, reference), model: adapted, args: this.args });
  }

  /** The log so far, under the names that transformers writes to `trainer_state.json`. */
  get progress(): RunProgress {
    return this.#trainer.progress;
  }

  /** What a run came to, when it has finished. */
  get result(): TrainOutput | undefined {
    return this.#trainer.result;
  }

  /** Tokenises the pairs; the others do it if it was not done. Throws DataPreparationError and RowError. */
  prepare(split: "train" | "eval" = "train", signal?: AbortSignal): Promise<PreparedDpoDataset> {
    return this.#trainer.prepare(split, signal);
  }

  /** What a run will be: rows, updates, memory, and where it goes on; `run.train()` trains. Nothing is changed for it. See `Trainer.plan`. */
  plan(options: PlanOptions = {}): Promise<PlannedRun> {
    return this.#trainer.plan(options);
  }

  /** Trains: iterate over it for the logs, or await it for the output. See `Trainer.train`. */
  train(options: PlanOptions = {}): TrainingRun {
    return this.#trainer.train(options);
  }

  /** Evaluates the eval dataset with the model as it is. Keys begin with `eval_`. */
  evaluate(options: { signal?: AbortSignal | undefined } = {}): Promise<LogRecord> {
    return this.#trainer.evaluate(options);
  }

  /** The text of `trainer_state.json`. */
  state(): string {
    return this.#trainer.state();
  }

  /** Writes adapter, tokenizer, model card and `trainer_state.json`, to `output` unless another store is given. */
  saveModel(store?: Store): Promise<void> {
    return this.#trainer.saveModel(store);
  }

  /** Takes the adapter off the base model again if `peftConfig` put it there; otherwise the model is its caller's. */
  dispose(): void {
    if (this.#ownsAdapter) this.model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
