import { readText, type Store } from "@kto/core";
import { FAILSAFE_SCHEMA, load } from "js-yaml";
import { RunFolderError } from "../errors.js";
import { jsonLines, metricsOf, objectOf } from "./json-lines.js";
import { dataSummaryOf, samplesOf } from "./other-files.js";
import type { ConfigEntry, Metrics, Run } from "./run.js";

/** A folder that can be read and listed. */
export type RunFolder = Pick<Store, "name" | "open" | "list">;

/** Options of {@link readRun}. */
export interface ReadRunOptions {
  /** Default: the last part of the folder's name. */
  name?: string | undefined;
  /** What a field of the config is where nobody sets it, in the spelling of the file, given all fields as written; undefined for one without a default. */
  defaultOf?: ((name: string, fields: Readonly<Record<string, unknown>>) => unknown) | undefined;
}

const metricsFile = "metrics.jsonl";
const configFile = "resolved_config.yaml";
const stateFile = "trainer_state.json";
const resultsFile = "train_results.json";

/**
 * Reads the files of a run, finished or not: metrics.jsonl, resolved_config.yaml, trainer_state.json (of the newest checkpoint while there is none beside
 * it), train_results.json, data_summary.json and samples.jsonl. Only the first or the second has to be there; what of the others cannot be read is told of.
 *
 * @throws RunFolderError for a folder that is no run; its `runs` names the runs in it, if any
 */
export async function readRun(folder: RunFolder, { name = lastPart(folder.name), defaultOf }: ReadRunOptions = {}): Promise<Run> {
  const [metrics, config] = await Promise.all([readText(folder, metricsFile), readText(folder, configFile)]);
  if (metrics === undefined && config === undefined) throw await noRun(folder);
  const problems: string[] = [];
  const object = async (file: string): Promise<Record<string, unknown> | undefined> => {
    const text = await readText(folder, file);
    const value = text === undefined ? undefined : objectOf(text);
    if (text !== undefined && !value) problems.push(`${file}: no JSON object; it was left out`);
    return value;
  };
  const lines = jsonLines(metricsFile, metrics ?? "");
  problems.push(...lines.problems);
  const results = await object(resultsFile);
  const checkpoint = await newestCheckpoint(folder);
  const state = (await object(stateFile)) ?? (checkpoint === undefined ? undefined : await object(`${checkpoint}/${stateFile}`));
  const data = await object("data_summary.json");
  const samples = jsonLines("samples.jsonl", (await readText(folder, "samples.jsonl")) ?? "");
  problems.push(...samples.problems);
  return {
    name,
    isFinished: results !== undefined,
    records: inOrder(lines.values.map(metricsOf)),
    evaluations: evaluationsOf(state?.["log_history"]),
    config: config === undefined ? [] : configOf(config, problems, defaultOf),
    ...(results && { results: metricsOf(results) }),
    ...(data && { data: dataSummaryOf(data) }),
    samples: samples.values.flatMap(samplesOf),
    problems,
  };
}

/** Names of the folders in a folder that hold runs. */
export async function runsIn(folder: RunFolder): Promise<string[]> {
  const found: string[] = [];
  for (const { name, kind } of await folder.list()) {
    if (kind !== "folder" || checkpointStep(name) !== undefined) continue;
    const files = new Set((await folder.list(name)).map((entry) => entry.name));
    if (files.has(metricsFile) || files.has(configFile)) found.push(name);
  }
  return found;
}

async function noRun(folder: RunFolder): Promise<RunFolderError> {
  const runs = await runsIn(folder);
  return new RunFolderError(
    {
      operation: folder.name,
      problem: runs.length > 0 ? "the folder holds runs and is none itself" : "the folder holds no run",
      expected: `a folder with ${metricsFile} or ${configFile}`,
      got: runs.length > 0 ? `one with ${runs.join(", ")} in it` : "one without either",
      advice: runs.length > 0 ? "name one of them, or several to compare them" : "name the output_dir of a run",
    },
    runs,
  );
}

async function newestCheckpoint(folder: RunFolder): Promise<string | undefined> {
  const checkpoints = (await folder.list()).flatMap(({ name }) => {
    const step = checkpointStep(name);
    return step === undefined ? [] : [{ name, step }];
  });
  return checkpoints.sort((a, b) => a.step - b.step).at(-1)?.name;
}

function checkpointStep(name: string): number | undefined {
  const step = /^checkpoint-(\d+)$/.exec(name)?.[1];
  return step === undefined ? undefined : Number(step);
}

/** The evaluations in a `log_history` of transformers' layout, by step. */
export function evaluationsOf(history: unknown): Metrics[] {
  if (!Array.isArray(history)) return [];
  const records = history.filter((record) => typeof record === "object" && record !== null).map(metricsOf);
  return inOrder(records.filter((record) => Object.keys(record).some((name) => name.startsWith("eval_"))));
}

/** Records that say their step, by step; of one step the last stands. */
function inOrder(records: readonly Metrics[]): Metrics[] {
  const byStep = new Map(records.flatMap((record) => (typeof record["step"] === "number" ? [[record["step"], record] as const] : [])));
  return [...byStep].sort(([a], [b]) => a - b).map(([, record]) => record);
}

function configOf(text: string, problems: string[], defaultOf: ReadRunOptions["defaultOf"]): ConfigEntry[] {
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

function lastPart(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== "" && part !== ".") ?? path;
}
