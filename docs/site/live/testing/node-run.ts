import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "@kto/cli";
import { root } from "../../repository.js";

/** What a run came to. */
export interface RunResult {
  losses: number[];
  /** SHA-256 of adapter_model.safetensors. */
  adapter: string;
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Losses in the text of a `metrics.jsonl`. */
export const lossesIn = (metrics: string): number[] =>
  metrics
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { loss: number }).loss);

/** The demo's run by the command, in Node on the software adapter. */
export async function trainInNode(updates: number): Promise<RunResult> {
  const folder = await mkdtemp(join(tmpdir(), "kto-live-node-"));
  try {
    let said = "";
    const sink = { write: (text: string) => (said += text) };
    const quickstart = join(root, "examples/quickstart");
    const places = [
      "--model_name_or_path",
      `${quickstart}/model`,
      "--train_file",
      `${quickstart}/data/train.jsonl`,
      "--output_dir",
      folder,
    ];
    const flags = ["--max_steps", String(updates), "--logging_steps", "1", "--device", "software", "--overwrite_output_dir", "true"];
    const status = await main(["train", `${quickstart}/kto.yaml`, ...places, ...flags], { stdout: sink, stderr: sink, env: {} });
    if (status !== 0) throw new Error(said);
    const losses = lossesIn(await readFile(join(folder, "metrics.jsonl"), "utf8"));
    return { losses, adapter: sha256(await readFile(join(folder, "adapter_model.safetensors"))) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
