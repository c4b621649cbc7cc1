import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { sleep } from "../../http/retry.js";
import { writeError } from "./write.js";

/** What a lock file says of the process that holds it. */
interface Owner {
  id: string;
  pid: number;
  host: string;
  /** When the process began, as the system counts; tells it from a later one with the same pid. */
  started?: string | undefined;
}

/** How a lock is waited for. */
export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** Called once, when another holds the lock. */
  onWait?: () => void;
  pollMs?: number;
  /** A lock whose owner cannot be looked at is broken when it was not touched for so long. */
  staleMs?: number;
}

const HEARTBEAT_MS = 5_000;
/** Far more than it takes to remove a lock. */
const TAKING_MS = 10_000;
/** Ids of the locks this process holds: one that says so and is not among them is left from another process with the same pid. */
const held = new Set<string>();

/**
 * Holds the lock `path` while `work` runs. A lock is a file that names its owner: Node has no flock. One whose process is gone, killed or crashed,
 * is taken over; on another machine a process counts as gone when its lock has not been touched for a minute.
 *
 * It saves work and guards nothing else: two processes that both believe to hold it write the same bytes to the same places.
 */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const id = randomUUID();
  held.add(id);
  try {
    await acquire(path, id, options);
    const heartbeat = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => {}); // taken over or removed: see above
    }, HEARTBEAT_MS);
    heartbeat.unref();
    try {
      return await work();
    } finally {
      clearInterval(heartbeat);
      if ((await readOwner(path))?.id === id) await rm(path, { force: true });
    }
  } finally {
    held.delete(id);
  }
}

async function acquire(path: string, id: string, { signal, onWait, pollMs = 200, staleMs = 60_000 }: LockOptions): Promise<void> {
  let waits = false;
  let touched = { mtimeMs: Number.NaN, seenMs: 0 };
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw writeError(error, path);
  });
  while (!(await tryCreate(path, { id, pid: process.pid, host: hostname(), started: startOf(process.pid) }))) {
    const mtimeMs = await stat(path).then((found) => found.mtimeMs, () => undefined); // prettier-ignore
    if (mtimeMs === undefined) continue; // just given back
    const owner = await readOwner(path);
    // Both times are of this process: the clocks of two machines may differ.
    if (mtimeMs !== touched.mtimeMs) touched = { mtimeMs, seenMs: performance.now() };
    const isStale = performance.now() - touched.seenMs > staleMs;
    const isAlive = owner?.host === hostname() ? lives(owner, isStale) : !isStale;
    if (!isAlive && (await takeAway(path, owner?.id))) continue;
    if (isAlive && !waits) onWait?.();
    waits ||= isAlive;
    await sleep(pollMs, signal);
  }
}

async function tryCreate(path: string, owner: Owner): Promise<boolean> {
  try {
    await writeFile(path, JSON.stringify(owner), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw writeError(error, path);
  }
}

/** Removes a lock that nobody holds, if it is still the same. False while another process does that. */
async function takeAway(path: string, id: string | undefined): Promise<boolean> {
  const taking = `${path}-taking`; // or one could remove the new lock of another who was quicker
  try {
    await writeFile(taking, "", { flag: "wx" });
  } catch {
    const ageMs = await stat(taking).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0); // prettier-ignore
    if (ageMs > TAKING_MS) await rm(taking, { force: true }); // killed in the middle of this
    return false;
  }
  try {
    if ((await readOwner(path))?.id === id) await rm(path, { force: true });
    return true;
  } finally {
    await rm(taking, { force: true });
  }
}

/** Undefined for a lock that is gone, or not written yet. */
async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}

/** Whether a process of this machine still runs. Where the system does not tell when a process began, an untouched lock decides. */
function lives({ id, pid, started }: Owner, isStale: boolean): boolean {
  if (pid === process.pid) return held.has(id);
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  const now = startOf(pid);
  return started === undefined || now === undefined ? !isStale : now === started;
}

/** Ticks since boot at which a process began; empty for one that ended and waits to be reaped, undefined where there is no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" "); // the name before it may hold anything
    return /^[ZX]$/.test(fields[0]!) ? "" : fields[19];
  } catch {
    return undefined;
  }
}
