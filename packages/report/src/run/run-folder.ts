import { excerpt, type Store } from "@kto/core";
import { RunFolderError } from "../errors.js";
import type { Metrics } from "./run.js";

/** A folder that can be read and listed. */
export type RunFolder = Pick<Store, "name" | "open" | "list">;

export const metricsFile = "metrics.jsonl";
export const configFile = "resolved_config.yaml";
export const stateFile = "trainer_state.json";
export const resultsFile = "train_results.json";
export const summaryFile = "data_summary.json";
export const samplesFile = "samples.jsonl";

/** Most names of a folder in a message. */
const mostNamed = 5;

/** Names of the folders in a folder that hold runs. */
export async function runsIn(folder: RunFolder): Promise<string[]> {
  const found: string[] = [];
  for (const { name, kind } of await folder.list())
    if (kind === "folder" && checkpointStep(name) === undefined && holdsRun(await folder.list(name))) found.push(name);
  return found;
}

/** Whether what lies in a folder are files of a run. */
export function holdsRun(entries: readonly { readonly name: string }[]): boolean {
  return entries.some(({ name }) => name === metricsFile || name === configFile);
}

/**
 * True for the folder of a run, false for one that holds runs.
 *
 * @throws RunFolderError for a folder that is neither, with what lies in it
 */
export async function expectRuns(folder: RunFolder): Promise<boolean> {
  const entries = await folder.list();
  if (holdsRun(entries)) return true;
  if ((await runsIn(folder)).length > 0) return false;
  throw new RunFolderError({
    operation: folder.name,
    problem: "the folder is no run and holds none",
    expected: `${metricsFile} or ${configFile} in it, or in the folders in it`,
    got: found(entries),
    advice: "name the output_dir of a run, or the folder that holds several",
  });
}

/** What lies in a folder, in a few words. */
function found(entries: readonly { readonly name: string }[]): string {
  const names = entries.slice(0, mostNamed).map(({ name }) => excerpt(name));
  const more = entries.length - names.length;
  return names.length === 0 ? "an empty folder" : `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** What to throw for a folder that is no run. */
export async function noRun(folder: RunFolder): Promise<RunFolderError> {
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

/** Updates of a checkpoint, by its name. */
export function checkpointStep(name: string): number | undefined {
  const step = /^checkpoint-(\d+)$/.exec(name)?.[1];
  return step === undefined ? undefined : Number(step);
}

/** Records that say their step, by step; of one step the last stands. */
export function inOrder(records: readonly Metrics[]): Metrics[] {
  const byStep = new Map(records.flatMap((record) => (typeof record["step"] === "number" ? [[record["step"], record] as const] : [])));
  return [...byStep].sort(([a], [b]) => a - b).map(([, record]) => record);
}

/** The last part of a path, as a run is called. */
export function lastPart(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== "" && part !== ".") ?? path;
}
