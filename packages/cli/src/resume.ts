import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { excerpt, type ByteDirectory } from "@kto/core";
import { folderStore } from "@kto/core/node";
import { checkpointFiles, checkpointStep, listCheckpoints } from "@kto/trainer";
import { ConfigError } from "./errors.js";

/** Where a run is to go on: the newest checkpoint of its folder that is whole, or one that was named. */
export interface WantedCheckpoint {
  /** What the trainer is told. */
  readonly from: true | ByteDirectory;
  /** Whether it lies in the folder of the run. */
  readonly isInOutput: boolean;
}

/**
 * `resume_from_checkpoint`: true stands for the newest checkpoint of the output folder that is whole, a name or path for that one. Undefined for true where
 * there is none at all. Throws ConfigError when the one named is not there, or lacks a file.
 */
export async function wantedCheckpoint(wanted: true | string, outputDir: string): Promise<WantedCheckpoint | undefined> {
  if (wanted === true) {
    const names = await listCheckpoints(folderStore(outputDir));
    return names.length === 0 ? undefined : { from: true, isInOutput: true };
  }
  const path = [join(outputDir, wanted), wanted].map((place) => resolve(place)).find((place) => existsSync(place));
  if (path === undefined || checkpointStep(basename(path)) === undefined)
    throw new ConfigError([
      `resume_from_checkpoint: not usable; expected true or the folder of a complete checkpoint (checkpoint-<step>), got ${excerpt(wanted, 400)}; true takes the newest one`,
    ]);
  const files = checkpointFiles[existsSync(join(path, "config.json")) ? "model" : "adapter"];
  const missing = files.filter((file) => !existsSync(join(path, file)));
  if (missing.length > 0)
    throw new ConfigError([
      `resume_from_checkpoint: ${wanted} is not complete; expected ${files.join(", ")} in it, got no ${missing.join(", ")}; true takes the newest checkpoint that is`,
    ]);
  return { from: folderStore(path), isInOutput: dirname(path) === resolve(outputDir) };
}
