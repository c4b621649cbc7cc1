import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { WriteError, type Store } from "@kto/core";
import { folderStore } from "@kto/core/node";
import { checkpointStep } from "@kto/trainer";
import { OutputError } from "./errors.js";

const lockName = ".kto.lock";
/** Written last: a folder that has it holds a finished run. */
export const resultsName = "train_results.json";
export const metricsName = "metrics.jsonl";

/** Files of a run besides its checkpoints, removed when a new run takes the folder over. */
const runFiles = [
  resultsName,
  metricsName,
  "trainer_state.json",
  "resolved_config.yaml",
  "adapter_model.safetensors",
  "adapter_config.json",
  "README.md",
];

/** What was asked of an output folder. */
export interface RunFolderOptions {
  overwrite: boolean;
  resume: boolean;
}

/** The output folder of a run, held by a lock while it runs. */
export class RunFolder {
  readonly path: string;
  readonly #wasMade: boolean;
  #metrics: number | undefined;

  private constructor(path: string, wasMade: boolean) {
    this.path = path;
    this.#wasMade = wasMade;
  }

  /** Throws OutputError if the folder is no folder, in use, or holds a run that nobody asked to overwrite or resume. Writes nothing. */
  static async check(path: string, { overwrite, resume }: RunFolderOptions): Promise<void> {
    const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") return undefined;
      throw new OutputError(`output_dir: ${path} cannot be used; expected a folder, got ${cause.code}; choose another`, { path, cause });
    });
    if (!found) return;
    if (!found.isDirectory())
      throw new OutputError(`output_dir: ${path} is a file; expected a folder, or a path where one can be made; choose another`, { path });
    expectUnlocked(path);
    if (overwrite || resume) return;
    if (existsSync(join(path, resultsName))) {
      throw new OutputError(
        `output_dir: ${path} holds a finished run; expected a new folder; pass --overwrite_output_dir to replace it, or choose another`,
        { path },
      );
    }
    const checkpoint = (await checkpointsIn(path)).at(-1);
    if (checkpoint !== undefined) {
      throw new OutputError(
        `output_dir: ${path} holds an unfinished run with ${checkpoint}; expected a new folder; go on with --resume_from_checkpoint true, or pass --overwrite_output_dir to replace it`,
        { path },
      );
    }
  }

  /** Makes the folder if need be and takes its lock. Throws OutputError if another process has it, WriteError if it cannot be written. */
  static async open(path: string, options: RunFolderOptions): Promise<RunFolder> {
    await RunFolder.check(path, options);
    const wasMade = !existsSync(path);
    try {
      await mkdir(path, { recursive: true });
      await takeLock(path);
    } catch (cause) {
      if (cause instanceof OutputError) throw cause;
      throw new OutputError(
        `output_dir: ${path} cannot be written; expected a folder of ours, got ${(cause as NodeJS.ErrnoException).code}; choose another`,
        { path, cause },
      );
    }
    return new RunFolder(path, wasMade);
  }

  /** Writes the config and opens the metrics file at the start of a run, in one go: what an earlier run left goes, or, on resuming, what it logged after `step`. */
  begin(step: number | undefined, resolvedConfig: string): void {
    if (step === undefined) this.#clear();
    else cutMetrics(join(this.path, metricsName), step);
    this.#metrics = openSync(join(this.path, metricsName), "a");
    const config = join(this.path, "resolved_config.yaml");
    writeFileSync(`${config}.tmp`, resolvedConfig);
    renameSync(`${config}.tmp`, config);
  }

  /** Appends one line and waits until it is on the disk. Throws WriteError; the lines before it stay whole. */
  appendMetrics(record: object): void {
    const path = join(this.path, metricsName);
    const file = this.#metrics!;
    const { size } = fstatSync(file);
    try {
      writeWhole(file, `${JSON.stringify(record)}\n`);
      fsyncSync(file);
    } catch (cause) {
      ftruncateSync(file, size); // no half line
      const { code: reason } = cause as NodeJS.ErrnoException;
      throw new WriteError(
        `metrics: ${path} was not written; got ${reason}${reason === "ENOSPC" ? ": the disk is full" : ""}; the last checkpoint is unchanged: free some space and go on with --resume_from_checkpoint true`,
        { path, reason, cause },
      );
    }
  }

  /** Where checkpoints and the trained model go. */
  get store(): Store {
    return folderStore(this.path);
  }

  /** Writes a file whole or not at all. */
  write(name: string, content: string): Promise<void> {
    return this.store.write(name, content);
  }

  /** What `train_results.json` of an earlier run says, if there is one. */
  results(): unknown {
    const path = join(this.path, resultsName);
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
  }

  /** Gives the lock back; a folder that this run made and wrote nothing to goes again. */
  async close(): Promise<void> {
    if (this.#metrics !== undefined) closeSync(this.#metrics);
    this.#metrics = undefined;
    await rm(join(this.path, lockName), { force: true });
    if (this.#wasMade && (await readdir(this.path).catch(() => ["?"])).length === 0) await rm(this.path, { recursive: true, force: true });
  }

  #clear(): void {
    const checkpoints = readdirSync(this.path).filter((name) => checkpointStep(name) !== undefined);
    for (const name of [...runFiles, ...checkpoints]) rmSync(join(this.path, name), { recursive: true, force: true });
  }
}

/** Names of checkpoint folders, oldest first. */
export async function checkpointsIn(path: string): Promise<string[]> {
  const names = await readdir(path).catch(() => []);
  return names.filter((name) => checkpointStep(name) !== undefined).sort((a, b) => checkpointStep(a)! - checkpointStep(b)!);
}

/** Writes all of a text; one call may write a part of it. */
function writeWhole(file: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  let done = 0;
  while (done < bytes.byteLength) done += writeSync(file, bytes, done);
}

/** Keeps the lines up to `step`; a line that a killed process left half-written goes too. */
function cutMetrics(path: string, step: number): void {
  if (!existsSync(path)) return;
  const text = readFileSync(path, "utf8");
  let kept = 0;
  for (const line of text.split("\n")) {
    const end = kept + Buffer.byteLength(line) + 1;
    if (end > Buffer.byteLength(text) || !(stepOf(line) <= step)) break;
    kept = end;
  }
  truncateSync(path, kept);
}

function stepOf(line: string): number {
  try {
    return (JSON.parse(line) as { step: number }).step;
  } catch {
    return Infinity;
  }
}

interface Lock {
  pid: number;
  /** When that process started, in ticks since boot; null where the system does not tell. */
  started: string | null;
}

/** Throws OutputError while a living process holds the folder. */
function expectUnlocked(path: string): void {
  const holder = readLock(path);
  if (holder === undefined || !isAlive(holder)) return;
  throw new OutputError(
    `output_dir: ${resolve(path)} is in use by process ${holder.pid}; expected a folder of its own for each run; choose another, or wait for that run`,
    { path },
  );
}

async function takeLock(path: string): Promise<void> {
  const file = join(path, lockName);
  const content = JSON.stringify({ pid: process.pid, started: startOf(process.pid) } satisfies Lock);
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(file, content, { flag: "wx" });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || attempt > 0) throw error;
      expectUnlocked(path);
      await rm(file, { force: true }); // its process is dead
    }
  }
}

function readLock(path: string): Lock | undefined {
  try {
    const lock = JSON.parse(readFileSync(join(path, lockName), "utf8")) as Lock;
    return Number.isInteger(lock.pid) ? lock : undefined;
  } catch {
    return undefined;
  }
}

/** True while the process that took a lock runs; another one with the same number does not count. */
function isAlive({ pid, started }: Lock): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return started === null || startOf(pid) === started;
}

/** Field 22 of /proc/<pid>/stat, counted after the name in brackets. */
function startOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? null : (fields[19] ?? null); // a zombie has ended
  } catch {
    return null;
  }
}
