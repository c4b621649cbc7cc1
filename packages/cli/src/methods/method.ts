import type { Fields, RuleMistake } from "@kto/core/config";
import type { DataNote, DataRow, Dataset, LayoutChoice, RowFormat } from "@kto/datasets";
import type { LoadedModel } from "@kto/kit";
import type { PeftModel } from "@kto/lora";
import type {
  CachedTokens,
  CheckedRows,
  CheckOptions,
  DataReport,
  PreparedRows,
  PrepareOptions,
  ReportOptions,
  ReportSequence,
  SharedTrainerOptions,
  SourceRow,
  Trainer,
  TrainingConfig,
  TrainLog,
} from "@kto/trainer";

/** Data of any method, as the command speaks of it. */
export interface PreparedData extends PreparedRows<SourceRow> {
  format: RowFormat;
  unreadColumns: readonly string[];
  notes: readonly DataNote[];
  /** Where the tokenised rows are kept, if anywhere. */
  cache?: CachedTokens | undefined;
}

/** A column of the table of logs. */
export interface LogColumn {
  title: string;
  /** The metric under trl's name. */
  metric: string;
  width: number;
}

/** How a run is shown. */
export interface RunDisplay {
  /** Columns of the table behind those that every method has: together at most 34 wide. */
  columns: readonly LogColumn[];
  /** Shown in the bar beside the loss. */
  bar: { title: string; metric: string };
  /** Shown of an evaluation beside the loss: of each metric `eval_` and its name. */
  evaluation: readonly { title: string; metric: string }[];
  /** What a log asks to be explained, once a run. */
  explain?(log: TrainLog): string | undefined;
}

/** A fact of `kto data`: its name and what is told. */
export type Fact = readonly [name: string, text: string];

/** What `kto data` tells of data that a method prepared. */
export interface DataView {
  /** For `--json`. */
  report: DataReport;
  /** What is the method's own. */
  facts: readonly Fact[];
  /** The report's samples, of pairs each answer: where the row stands, what is shown, and its tokens. */
  sequences: readonly { sourceIndex: number; title: string; sequence: ReportSequence }[];
}

/** What `kto data` tells of data without a tokenizer. */
export interface CheckedView {
  checked: Pick<CheckedRows, "format" | "dropped" | "unreadColumns" | "notes">;
  /** What is the method's own: for `--json`, and as facts. */
  own: object;
  facts: readonly Fact[];
  /** What the rows are told apart by, where that is not what preference training reads. */
  layouts?: LayoutChoice;
  /** Columns that hold answers of a row, and columns that hold a whole text or conversation. */
  answers: readonly string[];
  whole: readonly string[];
}

/** What a trainer is made of that the command makes for it. */
export interface MethodTrainerOptions<Args, More, Prepared> extends SharedTrainerOptions<Prepared> {
  model: PeftModel<LoadedModel>;
  args: Partial<Args>;
  /** Values of the fields that the command reads for the method. */
  more: More;
}

/** What the command asks of a trainer. */
export type MethodTrainer = Pick<
  Trainer<SourceRow, PreparedData>,
  "plan" | "saveModel" | "progress" | "result" | "evaluate" | "precomputeReference"
>;

/**
 * A training method as the command knows it: everything that `kto train` does otherwise for one method than for another. A method is one file of this folder and
 * one line of its table.
 */
export interface TrainMethod<
  Args extends TrainingConfig = TrainingConfig,
  More extends object = object,
  Prepared extends PreparedData = PreparedData,
> {
  /** `method` in configs, and the command that names it: `kto dpo`. */
  readonly name: string;
  /** As people write it: DPO. */
  readonly title: string;
  /** What it trains on, for help. */
  readonly trainsOn: string;
  /** What a row of a micro-batch is called. */
  readonly unit: "row" | "pair";
  /** What one sequence of tokens is called: a row, or each answer of a pair. */
  readonly sequence: string;
  /** What is called a completion of it: the tokens behind those that are not scored. */
  readonly completions: string;
  /** Fields of its trainer. */
  readonly fields: Fields;
  /** Fields that the command reads for it besides: `reference`. */
  readonly moreFields: Fields;
  /** Complete arguments. Throws TrainerConfigError. */
  config(args: Partial<Args>): Args;
  /** What contradicts what in values that are each usable. */
  contradictions(args: Args): RuleMistake[];
  /** Those of them that trl takes in silence, since no loss reads the value: the command does so too, and says it. */
  unread?(args: Args): RuleMistake[];
  /** Names of those of its fields that decide what is scored: `kto data` takes them. */
  readonly dataFields: readonly string[];
  prepare(dataset: Dataset<DataRow>, options: PrepareOptions, args: Args): Promise<Prepared>;
  /** Prepares data and tells what training would see. */
  view(dataset: Dataset<DataRow>, options: PrepareOptions & ReportOptions, args: Args): Promise<DataView>;
  /** Looks at data as far as that goes without a tokenizer. */
  check(dataset: Dataset<DataRow>, options: CheckOptions, args: Args): Promise<CheckedView>;
  trainer(options: MethodTrainerOptions<Args, More, Prepared>): MethodTrainer;
  /** How many rows of what kind, and what to warn of. */
  describe(prepared: Prepared): { rows: string; warnings: readonly string[] };
  display(args: Args): RunDisplay;
}
