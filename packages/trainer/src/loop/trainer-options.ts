import type { ByteDirectory, Store } from "@kto/core";
import type { DataRow, Dataset } from "@kto/datasets";
import type { LoraConfig } from "@kto/lora";
import type { SourceRow } from "../data/rows.js";
import type { TokenCache } from "../data/token-cache.js";
import type { Tokenizer } from "../data/tokenizer.js";
import type { AnswerScore } from "../evaluation/answer-score.js";
import type { Collective } from "./collective.js";
import type { TrainerEvent } from "./events.js";
import type { Method, PreparedRows } from "./method.js";
import type { RunOutput } from "./output.js";
import type { Tracker } from "./tracker.js";
import type { TrainableModel } from "./trained-model.js";
import type { TrainingConfig } from "./training-config.js";
import type { TrainingControl } from "./training-control.js";

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
  /** Keeps what `precomputeRefLogProbs` computes, for a run of the same rows, reference and passes; without it that is computed anew. */
  referenceCache?: TokenCache | undefined;
  /** Jinja text in place of the tokenizer's own template. */
  chatTemplate?: string | undefined;
  /** Where checkpoints and the trained model go; without it no checkpoints are written. */
  output?: Store | RunOutput | undefined;
  /** Keep what the run logs somewhere of their own; `tensorBoard` of `@kto/kit` is one. */
  trackers?: readonly Tracker[] | undefined;
  /** The other trainers of the run; default none. */
  collective?: Collective | undefined;
  /** What has to be the same on all of them besides what is compared anyway (arguments, data, model): the version of a program, a config; by what errors call it. */
  agreeOn?: Readonly<Record<string, string>> | undefined;
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

/** Options of `PlannedRun.train`. */
export interface RunOptions {
  signal?: AbortSignal | undefined;
  /** Holds the run up and has it write checkpoints; of one run. Of several ranks one may have it, for all. */
  control?: TrainingControl | undefined;
}

/** Options of `Trainer.train`. */
export interface TrainOptions extends PlanOptions, RunOptions {}

/** Options of `Trainer.evaluate`. */
export interface EvaluationOptions {
  signal?: AbortSignal | undefined;
  onScores?: ((scores: readonly AnswerScore[]) => void) | undefined;
}
