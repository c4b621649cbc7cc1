import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FuzzedReader } from "@kto/testing/workspace";
import { readConfigFile } from "../../packages/cli/src/config/read-config.js";
import { trainConfig } from "../../packages/cli/src/config/train-config.js";

const configs = [
  "model_name_or_path: ./models/tiny\ntrain_file: train.jsonl\nuse_peft: true\nlora_target_modules: [q_proj, v_proj]\nlearning_rate: 5.0e-7\nload_in_4bit: yes\n",
  "base: &base\n  lora_r: 16\n<<: *base\nmodel_name_or_path: a/b@main\ndataset_name: c/d\nwarmup_ratio: 0.1\nlr_scheduler_kwargs: {num_cycles: 2}\n",
  '{"model_name_or_path": "m", "train_file": "t.jsonl", "use_peft": true, "report_to": ["none"], "max_memory": {"0": "4GiB"}}',
  "lora_target_modules: &a [*a]\n",
];

let file: string | undefined;

/** A file of this process, which is gone when the process ends. */
function configFile(): string {
  if (file !== undefined) return file;
  const folder = mkdtempSync(join(tmpdir(), "kto-fuzz-config-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return (file = join(folder, "kto.yaml"));
}

/** The config of a run. */
export const configReader: FuzzedReader = {
  name: "config",
  kind: "text",
  seeds: () => configs.map((config) => new TextEncoder().encode(config)),
  async read(input) {
    writeFileSync(configFile(), input);
    return trainConfig(await readConfigFile(configFile()));
  },
};
