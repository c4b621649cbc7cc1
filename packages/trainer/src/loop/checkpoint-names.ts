import type { Store } from "@kto/core";
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE } from "@kto/lora";
import { optimizerFile } from "./optimizer-file.js";
import { stateFile } from "./trainer-state.js";

/**
 * What it takes to go on from a checkpoint of an adapter, and from one of a whole model; the weights of a model may be in several files, which the state
 * names.
 */
export const checkpointFiles: Readonly<Record<"adapter" | "model", readonly string[]>> = {
  adapter: [stateFile, ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, optimizerFile],
  model: [stateFile, "config.json", optimizerFile],
};

/** `checkpoint-<step>`, transformers' name. */
export function checkpointName(step: number): string {
  return `checkpoint-${step}`;
}

/** The step in a checkpoint's name, or undefined for another name. */
export function checkpointStep(name: string): number | undefined {
  const match = /^checkpoint-(\d+)$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

/** Names of the checkpoints in a store, oldest first. */
export async function listCheckpoints(store: Store): Promise<string[]> {
  const folders = (await store.list()).filter(({ kind, name }) => kind === "folder" && checkpointStep(name) !== undefined);
  return folders.map(({ name }) => name).sort((a, b) => checkpointStep(a)! - checkpointStep(b)!);
}
