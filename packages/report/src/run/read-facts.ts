import { readText } from "@kto/core";
import { FAILSAFE_SCHEMA, load } from "js-yaml";
import { jsonLines, metricsOf, objectOf } from "./json-lines.js";
import { dataSummaryOf, samplesOf } from "./other-files.js";
import type { RunFolder } from "./run-folder.js";
import { checkpointStep, configFile, inOrder, resultsFile, samplesFile, stateFile, summaryFile } from "./run-folder.js";
import type { ConfigEntry, Metrics, Run } from "./run.js";

/** What is told of a run beside the rows of its log. */
export type RunFacts = Omit<Run, "name" | "records">;

/** How the files of a run are read. */
export interface FactsOptions {
  /** What a field of the config is where nobody sets it, in the spelling of the file, given all fields as written; undefined for one without a default. */
  defaultOf?: ((name: string, fields: Readonly<Record<string, unknown>>) => unknown) | undefined;
  /** The evaluations so far, from who knows them better than the files, which have them at checkpoints only. */
  evaluations?: (() => readonly Metrics[]) | undefined;
}

/** Reads every file of a run but its log; what of them cannot be read is told of. */
export async function readFacts(folder: RunFolder, { defaultOf, evaluations }: FactsOptions = {}): Promise<RunFacts> {
  const problems: string[] = [];
  const object = async (file: string): Promise<Record<string, unknown> | undefined> => {
    const text = await readText(folder, file);
    const value = text === undefined ? undefined : objectOf(text);
    if (text !== undefined && !value) problems.push(`${file}: no JSON object; it was left out`);
    return value;
  };
  const config = await readText(folder, configFile);
  const results = await object(resultsFile);
  const state = evaluations ? undefined : await stateOf(folder, object);
  const data = await object(summaryFile);
  const samples = jsonLines(samplesFile, (await readText(folder, samplesFile)) ?? "");
  problems.push(...samples.problems);
  return {
    isFinished: results !== undefined,
    evaluations: evaluations?.() ?? evaluationsOf(state?.["log_history"]),
    config: config === undefined ? [] : configOf(config, problems, defaultOf),
    ...(results && { results: metricsOf(results) }),
    ...(data && { data: dataSummaryOf(data) }),
    samples: samples.values.flatMap(samplesOf),
    problems,
  };
}

/** trainer_state.json, of the newest checkpoint while there is none beside it. */
async function stateOf<Value>(folder: RunFolder, object: (file: string) => Promise<Value | undefined>): Promise<Value | undefined> {
  const whole = await object(stateFile);
  if (whole !== undefined) return whole;
  const checkpoint = newestCheckpoint((await folder.list()).map(({ name }) => name));
  return checkpoint === undefined ? undefined : object(`${checkpoint}/${stateFile}`);
}

/** The checkpoint with the most updates among some names. */
export function newestCheckpoint(names: readonly string[]): string | undefined {
  const checkpoints = names.filter((name) => checkpointStep(name) !== undefined);
  return checkpoints.sort((a, b) => checkpointStep(a)! - checkpointStep(b)!).at(-1);
}

/** The evaluations in a `log_history` of transformers' layout, by step. */
export function evaluationsOf(history: unknown): Metrics[] {
  if (!Array.isArray(history)) return [];
  const records = history.filter((record) => typeof record === "object" && record !== null).map(metricsOf);
  return inOrder(records.filter((record) => Object.keys(record).some((name) => name.startsWith("eval_"))));
}

function configOf(text: string, problems: string[], defaultOf: FactsOptions["defaultOf"]): ConfigEntry[] {
  let fields: unknown;
  try {
    fields = load(text, { schema: FAILSAFE_SCHEMA }); // every scalar as it is written
  } catch {
    problems.push(`${configFile}: not YAML; it was left out`);
    return [];
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    problems.push(`${configFile}: no fields; it was left out`);
    return [];
  }
  return Object.entries(fields).map(([name, value]: [string, unknown]) => {
    const written = textOf(value);
    const initial = defaultOf?.(name, fields as Record<string, unknown>);
    return { name, value: written, ...(initial !== undefined && { isDefault: isWritten(written, initial) }) };
  });
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Whether a value of the file says what `initial` says: 5.e-7 and 5e-7 are one number. */
function isWritten(written: string, initial: unknown): boolean {
  if (typeof initial === "number") return written !== "" && Number(written) === initial;
  const spelt = typeof initial === "string" ? initial : JSON.stringify(initial);
  return written === spelt;
}
