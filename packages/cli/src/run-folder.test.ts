import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { OutputError } from "./errors.js";
import { RunFolder } from "./run-folder.js";
import { temporaryFolder } from "./testing/run-kto.js";

const fresh = { overwrite: false, resume: false };

it("a lock keeps a second run out until the first has ended", async () => {
  using folder = temporaryFolder();
  const first = await RunFolder.open(folder.file("run"), fresh);
  await expect(RunFolder.open(folder.file("run"), fresh)).rejects.toThrow(OutputError);
  await first.close();
  const second = await RunFolder.open(folder.file("run"), fresh);
  await second.close();
});

it("a folder that was made for nothing goes again; one that was there stays", async () => {
  using folder = temporaryFolder();
  await (await RunFolder.open(folder.file("new"), fresh)).close();
  expect(existsSync(folder.file("new"))).toBe(false);
  mkdirSync(folder.file("old"));
  await (await RunFolder.open(folder.file("old"), fresh)).close();
  expect(existsSync(folder.file("old"))).toBe(true);
});

it("the lock of a dead process, and of another one with its number, is ignored", async () => {
  using folder = temporaryFolder();
  mkdirSync(folder.file("run"));
  for (const lock of [{ pid: 2 ** 22 + 1, started: null }, { pid: process.pid, started: "1" }, "nonsense"]) {
    writeFileSync(folder.file("run", ".kto.lock"), JSON.stringify(lock));
    await (await RunFolder.open(folder.file("run"), fresh)).close();
  }
});

it("resuming cuts the metrics back to the step, and a half-written line with them", async () => {
  using folder = temporaryFolder();
  mkdirSync(folder.file("run"));
  const lines = [1, 2, 3].map((step) => JSON.stringify({ step, text: "é" }));
  writeFileSync(folder.file("run", "metrics.jsonl"), `${lines.join("\n")}\n{"step":4`);
  const run = await RunFolder.open(folder.file("run"), { overwrite: false, resume: true });
  run.begin(2, "seed: 1\n");
  run.appendMetrics({ step: 3 });
  await run.close();
  expect(readFileSync(folder.file("run", "metrics.jsonl"), "utf8")).toBe(`${lines[0]}\n${lines[1]}\n{"step":3}\n`);
});
