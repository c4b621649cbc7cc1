import { excerpt, FormatError } from "@kto/core";
import type { BestProgress } from "./best-model.js";
import { checkpointStep } from "./checkpoint-names.js";
import { canSum, textSum, type FileSum } from "./file-sums.js";
import { stateFile, type LogRecord, type RunProgress, type RunSettings, type TrainerState } from "./trainer-state.js";

/** A JSON object. */
type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads what `formatTrainerState` wrote, every value of it checked for its type and range.
 *
 * Throws FormatError, which names the field, for text that is no JSON, or not of this trainer, or holds what no run comes to.
 */
export function parseTrainerState(text: string): TrainerState {
  const state = fieldsOf(parseJson(text), "the file");
  if (state["kto"] === undefined) throw unusable("kto", "the progress of this trainer (a file of transformers' own has none)", undefined);
  const own = fieldsOf(state["kto"], "kto");
  const globalStep = integer(state["global_step"], "global_step", 0);
  const progress: RunProgress = {
    globalStep,
    logHistory: list(state["log_history"], "log_history", record),
    totalLoss: number(own["total_loss"], "kto.total_loss"),
    totalFlos: number(state["total_flos"], "total_flos", 0),
    numTokens: integer(own["num_tokens"], "kto.num_tokens", 0),
    window: windowOf(own["window"], globalStep),
    scheduleMetrics: own["schedule_metrics"] === undefined ? [] : list(own["schedule_metrics"], "kto.schedule_metrics", numberOrNaN),
    best: bestOf(state, globalStep),
    owesEvaluation: booleanOf(own["owes_evaluation"] ?? false, "kto.owes_evaluation"),
  };
  const lastStep = integer(state["max_steps"], "max_steps", 1);
  if (globalStep > lastStep) throw unusable("global_step", `at most max_steps, ${lastStep}`, globalStep);
  const files = filesOf(own["files"]);
  const seal = sealOf(own["sha256"]);
  if (own["files"] !== undefined && seal === undefined) throw unusable("kto.sha256", "the sum of the state", undefined);
  return { progress, settings: settingsOf(own), files, seal };
}

/** The text of a state with the sums of the files it goes with, and of its own. */
export async function sealTrainerState(text: string, files: Readonly<Record<string, FileSum>>): Promise<string> {
  if (!canSum()) return text;
  const state = JSON.parse(text) as { kto: Record<string, unknown> };
  state.kto["files"] = files;
  state.kto["sha256"] = await textSum(withoutSeal(state));
  return `${JSON.stringify(state, null, 2)}\n`;
}

/** Throws FormatError if a state that was sealed is not what it was then. */
export async function expectSeal(text: string, { seal }: TrainerState): Promise<void> {
  if (seal === undefined || !canSum()) return;
  const state = JSON.parse(text) as { kto: Record<string, unknown> };
  if ((await textSum(withoutSeal(state))) !== seal)
    throw new FormatError(`${stateFile}: it is not what was written: its SHA-256 differs`, { source: stateFile });
}

/** What is summed: the state but for its sum, so that layout and a newline at the end do not matter. */
function withoutSeal(state: { kto: Record<string, unknown> }): string {
  const { sha256: _, ...own } = state.kto;
  try {
    return JSON.stringify({ ...state, kto: own });
  } catch (cause) {
    throw new FormatError(`${stateFile}: it nests too deeply; expected a file of this trainer`, { source: stateFile, cause });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new FormatError(`${stateFile}: it is not JSON; ${(cause as Error).message}`, { source: stateFile, cause });
  }
}

function settingsOf({ arguments: args, num_rows: numRows, num_ranks: numRanks = 1, method }: Fields): RunSettings | undefined {
  if (args === undefined || numRows === undefined) return undefined;
  if (method !== undefined && typeof method !== "string") throw unusable("kto.method", "the name of a method", method);
  return {
    method,
    args: fieldsOf(args, "kto.arguments"),
    numRows: integer(numRows, "kto.num_rows", 1),
    numRanks: integer(numRanks, "kto.num_ranks", 1),
  };
}

function windowOf(value: unknown, globalStep: number): RunProgress["window"] {
  const window = fieldsOf(value, "kto.window");
  const losses = list(window["losses"], "kto.window.losses", number);
  if (losses.length > globalStep) throw unusable("kto.window.losses", `at most one a step, ${globalStep}`, `${losses.length} of them`);
  const gradNorm = window["gradNorm"];
  return {
    losses,
    metrics: list(window["metrics"], "kto.window.metrics", record),
    gradNorm: gradNorm === null ? null : number(gradNorm, "kto.window.gradNorm", 0),
  };
}

/** The best model so far. Its checkpoint is named by the last part of its path: the folder of the run may lie elsewhere by now. */
function bestOf(state: Fields, globalStep: number): BestProgress {
  const best = state["best_model_checkpoint"] ?? null;
  if (best !== null && typeof best !== "string") throw unusable("best_model_checkpoint", "a text or null", best);
  const name = best?.split(/[\\/]/).at(-1) ?? null;
  const step = state["best_global_step"] ?? null;
  if (step !== null && integer(step, "best_global_step", 1) > globalStep)
    throw unusable("best_global_step", `at most global_step, ${globalStep}`, step);
  const metric = state["best_metric"] ?? null;
  return {
    metric: metric === null ? null : number(metric, "best_metric"),
    globalStep: step as number | null,
    checkpoint: name !== null && checkpointStep(name) !== undefined ? name : null,
    patienceCounter: patienceCounterOf(state["stateful_callbacks"]),
  };
}

function patienceCounterOf(callbacks: unknown): number {
  const field = "stateful_callbacks";
  const { EarlyStoppingCallback: callback } = fieldsOf(callbacks ?? {}, field);
  if (callback === undefined) return 0;
  const { attributes } = fieldsOf(callback, `${field}.EarlyStoppingCallback`);
  const { early_stopping_patience_counter: counter } = fieldsOf(attributes, `${field}.EarlyStoppingCallback.attributes`);
  return integer(counter, "early_stopping_patience_counter", 0);
}

function filesOf(value: unknown): TrainerState["files"] {
  if (value === undefined) return {};
  return Object.fromEntries(
    Object.entries(fieldsOf(value, "kto.files")).map(([name, sum]): [string, FileSum] => {
      const field = `kto.files.${name}`;
      const { bytes, sha256 } = fieldsOf(sum, field);
      return [name, { bytes: integer(bytes, `${field}.bytes`, 0), sha256: list(sha256, `${field}.sha256`, hash) }];
    }),
  );
}

function sealOf(value: unknown): string | undefined {
  return value === undefined ? undefined : hash(value, "kto.sha256");
}

/** Numbers by name. JSON has no NaN: it was written as null. */
function record(value: unknown, field: string): LogRecord {
  return Object.fromEntries(Object.entries(fieldsOf(value, field)).map(([name, item]) => [name, numberOrNaN(item, `${field}.${name}`)]));
}

function numberOrNaN(value: unknown, field: string): number {
  return value === null ? NaN : number(value, field);
}

function list<Item>(value: unknown, field: string, item: (value: unknown, field: string) => Item): Item[] {
  if (!Array.isArray(value)) throw unusable(field, "a list", value);
  return value.map((each: unknown, index) => item(each, `${field}[${index}]`));
}

function fieldsOf(value: unknown, field: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw unusable(field, "an object", value);
  return value as Fields;
}

function integer(value: unknown, field: string, least: number): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least)
    throw unusable(field, `a whole number from ${least} to 2^53 − 1`, value);
  return value;
}

function number(value: unknown, field: string, least = -Infinity): number {
  if (typeof value !== "number" || !Number.isFinite(value) || value < least)
    throw unusable(field, Number.isFinite(least) ? `a number of at least ${least}` : "a number", value);
  return value;
}

function booleanOf(value: unknown, field: string): boolean {
  if (typeof value !== "boolean") throw unusable(field, "true or false", value);
  return value;
}

function hash(value: unknown, field: string): string {
  if (typeof value !== "string" || !/^[0-9a-f]{64}$/.test(value)) throw unusable(field, "64 hexadecimal digits", value);
  return value;
}

function unusable(field: string, expected: string, got: unknown): FormatError {
  return new FormatError(
    `${stateFile}: ${field} is not usable; expected ${expected}, got ${got === undefined ? "nothing" : excerpt(got)}`,
    { source: stateFile },
  );
}
