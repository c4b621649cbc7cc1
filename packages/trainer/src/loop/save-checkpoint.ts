import type { Store } from "@kto/core";
import type { Optimizer } from "@kto/optim";
import { onFirstRank } from "./agreement.js";
import { checkpointsToRemove } from "./best-model.js";
import { readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import { checkpointName, listCheckpoints } from "./checkpoint-names.js";
import type { Collective } from "./collective.js";
import type { TrainerEvent } from "./events.js";
import type { PolicyFiles } from "./policy.js";
import type { RunProgress } from "./trainer-state.js";
import type { TrainingConfig } from "./training-config.js";

/** A run as its checkpoints see it. */
export interface CheckpointedRun {
  store: Store;
  /** Those of what is trained. */
  files: PolicyFiles;
  optimizer: Optimizer;
  progress: RunProgress;
  args: Pick<TrainingConfig, "saveTotalLimit" | "loadBestModelAtEnd">;
  /** Ranks but the first write and remove nothing; they wait until that is done. */
  collective: Collective;
  emit(event: TrainerEvent): void;
}

/**
 * Writes the checkpoint of the update that was done last, removes the oldest beyond the limit, and gives its path.
 *
 * @param state  makes the text of its `trainer_state.json`, which says whether it is the best
 * @param isDue  false for one that is written because the run was interrupted or somebody asked for it, which no other run would have: it is never the best one
 */
export async function saveCheckpoint(run: CheckpointedRun, state: () => string, isDue: boolean): Promise<string> {
  const { store, files, optimizer, progress, args, collective, emit } = run;
  const { globalStep: step, best } = progress;
  const name = checkpointName(step);
  const path = store.folder(name).name;
  if (isDue && best.globalStep === step) best.checkpoint = name;
  await onFirstRank(collective, `write ${name}`, async () => {
    await store.writeFolder(name, (folder) => writeCheckpoint(folder, files, optimizer, state()));
    emit({ type: "checkpoint", step, path });
    await remove(run, checkpointsToRemove(await listCheckpoints(store), args.saveTotalLimit, best.checkpoint));
  });
  return path;
}

/**
 * At the end of a run: puts the weights of the best checkpoint in place of the last ones, where that was asked for and there is one; and where only one
 * checkpoint is to be kept, keeps the best. True if the weights are the best one's now. Throws CheckpointError if that checkpoint is damaged.
 */
export async function endWithBest(run: CheckpointedRun): Promise<boolean> {
  const { store, files, optimizer, progress, args, collective } = run;
  const { checkpoint: name } = progress.best;
  if (name === null) return false;
  if (args.loadBestModelAtEnd) {
    const best = await readCheckpoint(store.folder(name), name, { files, optimizer });
    best.restore(optimizer);
  }
  if (args.saveTotalLimit === 1)
    await onFirstRank(collective, "remove checkpoints", async () => {
      const names = await listCheckpoints(store);
      await remove(
        run,
        names.filter((other) => other !== name),
      );
    });
  return args.loadBestModelAtEnd;
}

async function remove({ store, emit }: CheckpointedRun, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await store.remove(name);
    emit({ type: "checkpointRemoved", name });
  }
}
