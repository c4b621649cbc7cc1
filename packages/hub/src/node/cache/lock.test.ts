import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withLock } from "./lock.js";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kto-lock-"));
  path = join(folder, "repo", "abc.kto-lock");
});
afterEach(async () => rm(folder, { recursive: true }));

const options = { pollMs: 2 };
const leave = async (owner: object | string): Promise<void> => {
  await mkdir(join(folder, "repo"), { recursive: true });
  await writeFile(path, typeof owner === "string" ? owner : JSON.stringify(owner));
};
/** Resolves with the number of times that the lock was waited for. */
const take = async (more: object = {}): Promise<number> => {
  let waits = 0;
  await withLock(path, { ...options, onWait: () => (waits += 1), ...more }, async () => {});
  return waits;
};

it("lets one work at a time, and leaves nothing", async () => {
  let busy = 0;
  const order = await Promise.all(
    Array.from({ length: 8 }, async () =>
      withLock(path, options, async () => {
        busy += 1;
        await sleep(2);
        return busy--;
      }),
    ),
  );
  expect(order).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  expect(await readdir(join(folder, "repo"))).toEqual([]);
  await expect(withLock(path, options, async () => { throw new Error("work"); })).rejects.toThrow("work"); // prettier-ignore
  expect(await take()).toBe(0);
});

it("says once that it waits, and stops waiting when told to", async () => {
  const stop = new AbortController();
  let waits = 0;
  await withLock(path, options, async () => {
    const second = withLock(path, { ...options, signal: stop.signal, onWait: () => (waits += 1) }, async () => {});
    await sleep(20);
    stop.abort(new Error("enough"));
    await expect(second).rejects.toThrow(/^enough$/);
  });
  expect(waits).toBe(1);
  expect(await take()).toBe(0);
});

it.runIf(existsSync("/proc/self/stat"))("takes over from a process that was killed, at once", async () => {
  const child = spawn("sleep", ["100"]);
  const started = (await readFile(`/proc/${child.pid}/stat`, "utf8")).split(" ")[21];
  await leave({ id: "x", pid: child.pid, host: hostname(), started });
  const waiting = take();
  await sleep(30);
  const exited = new Promise((resolve) => { child.on("exit", resolve); }); // prettier-ignore
  child.kill("SIGKILL");
  await exited;
  expect(await waiting).toBe(1);
});

it.runIf(existsSync("/proc/self/stat"))("takes over from a process whose pid another one has now", async () => {
  await leave({ id: "x", pid: process.ppid, host: hostname(), started: "1" });
  expect(await take()).toBe(0);
  await leave({ id: "x", pid: process.pid, host: hostname() }); // an earlier process of our own pid
  expect(await take()).toBe(0);
});

it.each<[string, object | string]>([
  ["of another machine", { id: "x", pid: 1, host: "elsewhere" }],
  ["that says nothing", ""],
])("waits for a lock %s until it has not been touched for a while", async (_, owner) => {
  await leave(owner);
  const startMs = performance.now();
  expect(await take({ staleMs: 100 })).toBe(1);
  expect(performance.now() - startMs).toBeGreaterThan(95);
});
