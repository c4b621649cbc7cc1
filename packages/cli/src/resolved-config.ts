import { createRequire } from "node:module";
import { resolve } from "node:path";
import { stringify } from "yaml";
import type { TrainValues } from "./config/train-fields.js";

/** This package's version and the runtime's. */
export function versions(): Record<string, string> {
  const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
  return { kto: version, node: process.versions.node };
}

/** `resolved_config.yaml`: every field with the value used, paths absolute, and the versions. A run from it does the same. */
export function formatResolvedConfig(values: TrainValues, dtype: "float16" | "float32"): string {
  const absolute = (path: string | null): string | null => (path === null ? null : resolve(path));
  const used: TrainValues = {
    ...values,
    model_name_or_path: absolute(values.model_name_or_path),
    adapter_name_or_path: absolute(values.adapter_name_or_path),
    train_file: absolute(values.train_file ?? values.dataset_name),
    dataset_name: null,
    eval_file: absolute(values.eval_file),
    output_dir: resolve(values.output_dir),
    dtype,
    resume_from_checkpoint: null,
    overwrite_output_dir: false,
  };
  return stringify({ ...used, versions: versions() });
}
