import { readText } from "@kto/core";
import { jsonLines, metricsOf } from "./json-lines.js";
import { readFacts, type FactsOptions } from "./read-facts.js";
import { configFile, inOrder, lastPart, metricsFile, noRun, type RunFolder } from "./run-folder.js";
import type { Run } from "./run.js";

/** Options of {@link readRun}. */
export interface ReadRunOptions extends Pick<FactsOptions, "defaultOf"> {
  /** Default: the last part of the folder's name. */
  name?: string | undefined;
}

/**
 * Reads the files of a run, finished or not: metrics.jsonl, resolved_config.yaml, trainer_state.json (of the newest checkpoint while there is none beside
 * it), train_results.json, data_summary.json and samples.jsonl. Only the first or the second has to be there; what of the others cannot be read is told of.
 *
 * @throws RunFolderError for a folder that is no run; its `runs` names the runs in it, if any
 */
export async function readRun(folder: RunFolder, { name = lastPart(folder.name), defaultOf }: ReadRunOptions = {}): Promise<Run> {
  const [metrics, config] = await Promise.all([readText(folder, metricsFile), folder.open(configFile)]);
  await config?.dispose?.();
  if (metrics === undefined && config === undefined) throw await noRun(folder);
  const lines = jsonLines(metricsFile, metrics ?? "");
  const facts = await readFacts(folder, { defaultOf });
  return { name, ...facts, records: inOrder(lines.values.map(metricsOf)), problems: [...lines.problems, ...facts.problems] };
}
