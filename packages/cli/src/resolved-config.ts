import { createRequire } from "node:module";
import { resolve } from "node:path";
import { stringify } from "yaml";
import type { TrainValues } from "./config/train-fields.js";
import { hasSplits, isHubId } from "./load/place.js";

/** This package's version and the runtime's. */
export function versions(): Record<string, string> {
  const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
  return { kto: version, node: process.versions.node };
}

/**
 * `resolved_config.yaml`: every field with the value used, paths absolute and names on the hub as they were given, the versions, and the commits that
 * were read from the hub. A run from it does the same.
 */
export function formatResolvedConfig(
  values: TrainValues,
  dtype: "float16" | "float32",
  commits: ReadonlyMap<string, string> = new Map(),
): string {
  const { train_file: trainFile, dataset_name: dataset } = values;
  const used: TrainValues = {
    ...values,
    model_name_or_path: absolute(values.model_name_or_path),
    adapter_name_or_path: absolute(values.adapter_name_or_path),
    train_file: absolute(trainFile ?? (dataset !== null && !hasSplits(dataset) ? dataset : null)),
    dataset_name: dataset !== null && hasSplits(dataset) ? absolute(dataset) : null,
    eval_file: absolute(values.eval_file),
    output_dir: resolve(values.output_dir),
    dtype,
    resume_from_checkpoint: null,
    overwrite_output_dir: false,
  };
  return stringify({ ...used, versions: versions(), ...(commits.size > 0 ? { commits: Object.fromEntries(commits) } : {}) });
}

function absolute(place: string | null): string | null {
  return place === null || isHubId(place) ? place : resolve(place);
}
