/** Numbers of one logging step or evaluation by name, as `metrics.jsonl` and `trainer_state.json` have them; null where a number was none (NaN, infinity). */
export type Metrics = Readonly<Record<string, number | null>>;

/** A field of the config of a run. */
export interface ConfigEntry {
  /** As it is spelt in the file. */
  name: string;
  /** As YAML or JSON writes it. */
  value: string;
  /** False for a value that is not the default; undefined where nobody knows. */
  isDefault?: boolean | undefined;
}

/** A token of an answer. */
export interface SampleToken {
  text: string;
  /** log π(token) − log π_ref(token), nats; absent where it was not computed. */
  logRatio?: number | undefined;
}

/** A prompt with what the model answered before the run and after it. */
export interface Sample {
  prompt: string;
  /** Where it stands: which data, and the index of its row there. */
  split?: "train" | "eval" | undefined;
  row?: number | undefined;
  before?: string | undefined;
  /** Absent while the run goes on. */
  after?: string | undefined;
  /** Which of the answers were cut off, since they were as long as they might be. */
  isCut?: { before: boolean; after: boolean } | undefined;
  /** The answer after it, token by token. */
  tokens?: readonly SampleToken[] | undefined;
}

/** What was trained on. */
export interface DataSummary {
  /** Rows that are trained on, and rows dropped. */
  counts: { prepared: number; dropped: number };
  /** Why rows were dropped, in words. */
  drops?: readonly string[] | undefined;
  /** Rows of either class, of data that has classes. */
  classBalance?: { desirable: number; undesirable: number } | undefined;
  /** Rows by their number of tokens: at least `from`, less than `to`. */
  histogram?: readonly { from: number; to: number; count: number }[] | undefined;
}

/** A run as its files tell it. JSON all through. */
export interface Run {
  /** What it is called in the report. */
  name: string;
  /** A run that was interrupted looks like one that goes on. */
  isFinished: boolean;
  /** One a logging step, in their order, each with `step`. */
  records: readonly Metrics[];
  /** One an evaluation, each with `step` and names that begin with `eval_`. */
  evaluations: readonly Metrics[];
  config: readonly ConfigEntry[];
  /** `train_results.json`, of a finished run. */
  results?: Metrics | undefined;
  data?: DataSummary | undefined;
  samples: readonly Sample[];
  /** What of the files could not be read, one a line. */
  problems: readonly string[];
}
