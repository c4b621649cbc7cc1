import type { ByteDirectory, Store } from "@kto/core";
import { CheckpointError, type DamagedFile } from "./checkpoint-error.js";
import { listCheckpoints } from "./checkpoint-names.js";
import { readCheckpoint, type Checkpoint, type RunToResume } from "./checkpoint.js";
import { TrainerUsageError } from "./errors.js";

/** Where a run goes on: the checkpoint, if there is one, and newer ones that are damaged. */
export interface FoundCheckpoint {
  checkpoint: Checkpoint | undefined;
  damaged: readonly DamagedFile[];
}

/**
 * The checkpoint that `resumeFrom` stands for: that one; or, for true, the newest of the store that is whole, if there are any.
 *
 * Throws as `readCheckpoint`; for true CheckpointError where there are checkpoints and all are damaged; TrainerUsageError where there is no store.
 */
export async function findCheckpoint(
  from: string | true | ByteDirectory | undefined,
  store: Store | undefined,
  run: RunToResume,
): Promise<FoundCheckpoint> {
  if (from === undefined) return { checkpoint: undefined, damaged: [] };
  if (typeof from === "object") return { checkpoint: await readCheckpoint(from, nameOf(from), run), damaged: [] };
  if (!store)
    throw new TrainerUsageError(
      "train: resumeFrom names a checkpoint and there is no output; expected the output that holds it, got none; pass output",
    );
  if (from !== true) return { checkpoint: await readCheckpoint(store.folder(from), from, run), damaged: [] };
  return newestWhole(store, run);
}

async function newestWhole(store: Store, run: RunToResume): Promise<FoundCheckpoint> {
  const names = (await listCheckpoints(store)).reverse();
  const damaged: CheckpointError[] = [];
  for (const name of names) {
    try {
      return { checkpoint: await readCheckpoint(store.folder(name), name, run), damaged };
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      damaged.push(error);
    }
  }
  const [newest, ...others] = damaged;
  if (newest === undefined) return { checkpoint: undefined, damaged };
  const rest = others.map(({ checkpoint, file, problem }) => `; ${checkpoint}/${file}: ${problem}`).join("");
  throw new CheckpointError(
    { checkpoint: newest.checkpoint, file: newest.file, problem: `${newest.problem}${rest}` },
    { advice: `${store.name} has no checkpoint that is whole; pass {overwrite} to begin anew`, cause: newest },
  );
}

/** The last part of a folder's name: `checkpoint-5` of `outputs/checkpoint-5`. */
function nameOf({ name }: ByteDirectory): string {
  return name.split(/[\\/]/).findLast((part) => part !== "") ?? name;
}
