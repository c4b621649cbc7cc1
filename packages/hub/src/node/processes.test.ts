import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type TestCache, sampleBytes, startTestCache } from "../testing/test-cache.js";
import { snapshotDownload } from "./snapshot-download.js";

let test: TestCache;
let children: ChildProcess[];
/** Three requests' worth. */
const weights = sampleBytes(40_000_000);
const etag = createHash("sha256").update(weights).digest("hex");
const files = { "config.json": "{}", "model.safetensors": weights };

beforeEach(async () => {
  children = [];
  test = await startTestCache();
  test.hub.addModel("owner/name", files);
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await test[Symbol.asyncDispose]();
});

/** Another process that downloads the model and prints the states of its progress. */
function startDownload(): { child: ChildProcess; states: () => string[] } {
  const entry = fileURLToPath(new URL("snapshot-download.ts", import.meta.url));
  const options = { endpoint: test.hub.endpoint, cacheDir: test.cacheDir, token: false };
  const code = `
    const { snapshotDownload } = await import(${JSON.stringify(entry)});
    await snapshotDownload("owner/name", { ...${JSON.stringify(options)}, onProgress: ({ name, state, loadedBytes }) => process.stdout.write(name + " " + state + " " + loadedBytes + "\\n") });`;
  const child = spawn(process.execPath, ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  let printed = "";
  child.stdout.on("data", (text: Buffer) => (printed += text.toString()));
  return { child, states: () => printed.trimEnd().split("\n") };
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(5);
}

/** Bytes that the notes beside the incomplete weights count. */
async function notedBytes(): Promise<number> {
  const path = join(test.cacheDir, "models--owner--name", "blobs", `${etag}.kto-ranges`);
  const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").slice(1, -1);
  return lines.reduce((sum, line) => sum + Number(line.split(" ")[1]) - Number(line.split(" ")[0]), 0);
}

it("a process killed at any moment leaves a download that the next run completes, and nothing is fetched twice", async () => {
  test.hub.fault = ({ host }) => (host === "storage" ? { bytesPerSecond: 12_000_000 } : undefined);
  for (const stopAt of [4_000_000, 16_000_000]) {
    const { child, states } = startDownload();
    await until(async () => (await notedBytes()) >= stopAt);
    child.kill("SIGKILL");
    await once(child, "close");
    const received = Math.max(...states().map((line) => Number(line.split(" ")[2])));
    expect(await notedBytes()).toBeGreaterThan(received - 3 * 512 * 1024); // three connections with 512 kB in hand each
  }
  test.hub.fault = () => undefined;
  const noted = await notedBytes();
  const before = test.hub.bytesServed();
  const { path } = await snapshotDownload("owner/name", test.options); // does not wait for the lock of a dead process
  expect(test.hub.bytesServed() - before).toBe(weights.byteLength - noted);
  expect(Buffer.compare(await readFile(join(path, "model.safetensors")), weights)).toBe(0);
  expect(await test.blobs()).toHaveLength(2);
  expect(test.progress.map(({ state }) => state)).not.toContain("waiting");
});

it("of two processes one downloads and the other waits", async () => {
  test.hub.fault = ({ host }) => (host === "storage" ? { bytesPerSecond: 20_000_000 } : undefined);
  const both = [startDownload(), startDownload()];
  const codes = await Promise.all(both.map(async ({ child }) => once(child, "exit")));
  expect(codes).toEqual([[0, null], [0, null]]); // prettier-ignore
  expect(test.hub.bytesServed()).toBe(weights.byteLength + 2);
  const states = both.map(({ states: printed }) => printed().filter((line) => line.startsWith("model.safetensors")).map((line) => line.split(" ")[1])); // prettier-ignore
  const [waited, worked] = states[0]!.includes("waiting") ? states : states.toReversed();
  expect(waited).toEqual(["waiting", "cached"]);
  expect(worked).toEqual(expect.arrayContaining(["start", "progress", "done"]));
});

it("when the one that works is killed, the other one takes up its work", async () => {
  test.hub.fault = ({ host }) => (host === "storage" ? { bytesPerSecond: 12_000_000 } : undefined);
  const first = startDownload();
  await until(async () => (await notedBytes()) > 4_000_000);
  const second = snapshotDownload("owner/name", test.options);
  await until(() => test.progress.some(({ state }) => state === "waiting"));
  first.child.kill("SIGKILL");
  const { path } = await second;
  expect(Buffer.compare(await readFile(join(path, "model.safetensors")), weights)).toBe(0);
  const [waiting, start] = test.progress.filter(({ name }) => name === "model.safetensors");
  expect([waiting!.state, start!.state]).toEqual(["waiting", "start"]);
  expect(start!.loadedBytes).toBeGreaterThan(4_000_000);
});
