import { readFileSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { OutputError } from "./output-error.js";
import { processRuns } from "./process-runs.js";

const lockName = ".kto.lock";

interface Lock {
  pid: number;
  /** When that process started, in ticks since boot; null where the system does not tell. */
  started: string | null;
}

/** The process that took a folder, and whether it still runs; undefined for a folder that nobody holds. */
export function lockHolder(path: string): { pid: number; isAlive: boolean } | undefined {
  const lock = readLock(path);
  return lock && { pid: lock.pid, isAlive: isAlive(lock) };
}

/** Throws OutputError while a living process holds the folder. */
export function expectUnlocked(path: string): void {
  const holder = readLock(path);
  if (holder === undefined || !isAlive(holder)) return;
  throw new OutputError(
    {
      operation: "{outputDir}",
      problem: `${resolve(path)} is in use by process ${holder.pid}`,
      expected: "a folder of its own for each run",
      advice: "choose another, or wait for that run",
      fields: ["outputDir"],
    },
    { path },
  );
}

/** Makes the folder if need be and takes its lock. Throws OutputError if a living process has it, or it cannot be written. */
export async function takeLock(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    await writeLock(path);
  } catch (cause) {
    if (cause instanceof OutputError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    throw new OutputError(
      {
        operation: "{outputDir}",
        problem: `${path} cannot be written`,
        expected: "a folder of ours",
        got: isFull ? `${code}: the disk is full` : String(code),
        advice: isFull ? "free some space, or choose another" : "choose another",
        fields: ["outputDir"],
      },
      { path, cause },
    );
  }
}

/** Removes what killed processes left half-written in a folder whose lock was taken. */
export async function sweep(path: string): Promise<void> {
  for (const name of await readdir(path).catch(() => []))
    if (/\.[0-9a-f]{8}\.tmp$|^checkpoint-\d+\.partial$/.test(name)) await rm(join(path, name), { recursive: true, force: true });
}

/** Gives the lock back; a folder in which nothing else lies goes too if this run made it. */
export async function releaseLock(path: string, { wasMade }: { wasMade: boolean }): Promise<void> {
  await rm(join(path, lockName), { force: true });
  if (wasMade && (await readdir(path).catch(() => ["?"])).length === 0) await rm(path, { recursive: true, force: true });
}

async function writeLock(path: string): Promise<void> {
  const file = join(path, lockName);
  const content = JSON.stringify({ pid: process.pid, started: startOf(process.pid) } satisfies Lock);
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(file, content, { flag: "wx" });
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EEXIST") await rm(file, { force: true }).catch(() => undefined); // it was made, and has no room
      if (code !== "EEXIST" || attempt > 0) throw error;
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
  return processRuns(pid) && (started === null || startOf(pid) === started);
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
