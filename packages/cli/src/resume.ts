import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { folderStore } from "@kto/core/node";
import { checkpointStep, listCheckpoints } from "@kto/trainer";
import { ConfigError } from "./errors.js";

/** A checkpoint to resume from. */
export interface FoundCheckpoint {
  /** `checkpoint-<step>`. */
  name: string;
  /** Its folder. */
  path: string;
}

/** `resume_from_checkpoint`: true finds the newest complete checkpoint of the output folder, a name or path that one. Throws ConfigError when the one named is not there. */
export async function findCheckpoint(wanted: true | string, outputDir: string): Promise<FoundCheckpoint | undefined> {
  if (wanted === true) {
    const complete = (await listCheckpoints(folderStore(outputDir))).filter((name) => isComplete(join(outputDir, name)));
    const name = complete.at(-1);
    return name === undefined ? undefined : { name, path: join(outputDir, name) };
  }
  const path = [join(outputDir, wanted), wanted].find((candidate) => isComplete(candidate));
  if (path === undefined || checkpointStep(basename(resolve(path))) === undefined) {
    throw new ConfigError([
      `resume_from_checkpoint: not usable; expected true or the folder of a complete checkpoint (checkpoint-<step>), got ${JSON.stringify(wanted)}; true takes the newest one`,
    ]);
  }
  return { name: basename(resolve(path)), path };
}

function isComplete(path: string): boolean {
  return ["trainer_state.json", "optimizer.safetensors", "adapter_model.safetensors"].every((file) => existsSync(join(path, file)));
}
