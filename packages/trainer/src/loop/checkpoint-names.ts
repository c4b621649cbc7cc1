import type { Store } from "@kto/core";

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
