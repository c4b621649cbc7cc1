import { existsSync } from "node:fs";
import { join } from "node:path";
import { lastFiles } from "./run-folder.js";
import { lockHolder } from "./run-lock.js";

/** What a look from outside tells of the run in a folder. */
export type RunProcess =
  /** A process of this machine works in it. */
  | { state: "running"; pid: number }
  /** It has come to its end. */
  | { state: "finished" }
  /** A process worked in it and is gone without a word: it was killed, or the machine went down. */
  | { state: "gone"; pid: number }
  /** It is not at its end, and nobody of this machine works in it: it was stopped in good order, or comes from elsewhere. */
  | { state: "idle" };

/** What is known of the run in a folder without asking it. Node only. */
export function runProcess(path: string): RunProcess {
  const holder = lockHolder(path);
  if (holder?.isAlive === true) return { state: "running", pid: holder.pid };
  if (lastFiles.some((name) => existsSync(join(path, name)))) return { state: "finished" };
  return holder ? { state: "gone", pid: holder.pid } : { state: "idle" };
}
