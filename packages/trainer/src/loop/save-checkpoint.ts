import type { Store } from "@kto/core";
import { checkpointName, listCheckpoints } from "./checkpoint-names.js";
import type { TrainerEvent } from "./events.js";

/** Where checkpoints go, how many stay, and who is told. */
export interface CheckpointPlace {
  store: Store;
  /** The newest so many are kept; null for all. */
  saveTotalLimit: number | null;
  emit(event: TrainerEvent): void;
}

/** Writes the checkpoint of update `step`, whose files `write` gives, and removes the oldest beyond the limit. */
export async function saveCheckpoint(
  { store, saveTotalLimit, emit }: CheckpointPlace,
  step: number,
  write: (folder: Store) => Promise<void>,
): Promise<void> {
  const name = checkpointName(step);
  await store.writeFolder(name, write);
  emit({ type: "checkpoint", step, path: store.folder(name).name });
  if (saveTotalLimit === null) return;
  for (const old of (await listCheckpoints(store)).slice(0, -saveTotalLimit)) {
    await store.remove(old);
    emit({ type: "checkpointRemoved", name: old });
  }
}
