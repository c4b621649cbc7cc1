import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { directory, opfs } from "../index.js";
import { runProcess } from "./run-process.js";

let folder: string;
const at = (...parts: string[]): string => join(folder, ...parts);
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "kto-output-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): void => {
  mkdirSync(join(at(name), ".."), { recursive: true });
  writeFileSync(at(name), text);
};
const check = (path: string, resumes = false): Promise<void> => directory(path).check({ resumes });

it("a folder that holds a run is refused, unless that is what was asked for", async () => {
  await check(at("new"));
  expect(existsSync(at("new"))).toBe(false);
  write("file", "");
  await expect(check(at("file"))).rejects.toThrow(/file is a file; expected a folder, or a path where one can be made/);
  for (const name of ["train_results.json", "adapter_config.json"]) {
    write(`finished/${name}`, "{}");
    await expect(check(at("finished"))).rejects.toThrow(/finished holds a finished run; expected a new folder; pass overwrite/);
    await check(at("finished"), true);
    await directory(at("finished"), { overwrite: true }).check({ resumes: false });
    rmSync(at("finished"), { recursive: true });
  }
  write("unfinished/checkpoint-5/trainer_state.json", "{}");
  await expect(check(at("unfinished"))).rejects.toThrow(/holds an unfinished run with checkpoint-5; expected a new folder; go on with/);
  await check(at("unfinished"), true);
});

it("one run at a time; a dead process's lock does not count", async () => {
  const run = directory(at("run"));
  await run.begin({ startStep: undefined });
  await expect(check(at("run"), true)).rejects.toThrow(new RegExp(`is in use by process ${process.pid}`));
  await expect(directory(at("run")).begin({ startStep: undefined })).rejects.toThrow(/is in use by process/);
  await run.end();
  expect(existsSync(at("run"))).toBe(false); // it made the folder and wrote nothing
  for (const lock of [{ pid: 2 ** 22 + 1, started: null }, { pid: process.pid, started: "1" }, "nonsense"]) {
    write("killed/.kto.lock", JSON.stringify(lock));
    const next = directory(at("killed"));
    await next.begin({ startStep: undefined });
    await next.end();
    expect(readdirSync(at("killed"))).toEqual([]);
  }
});

it("is told from outside: who works in it, and whether it came to its end", async () => {
  expect(runProcess(at("run"))).toEqual({ state: "idle" });
  const run = directory(at("run"));
  await run.begin({ startStep: undefined });
  await run.appendMetrics({ step: 1 });
  expect(runProcess(at("run"))).toEqual({ state: "running", pid: process.pid });
  await run.end();
  expect(runProcess(at("run"))).toEqual({ state: "idle" });
  write("run/.kto.lock", JSON.stringify({ pid: 2 ** 22 + 1, started: null }));
  expect(runProcess(at("run"))).toEqual({ state: "gone", pid: 2 ** 22 + 1 });
  write("run/train_results.json", "{}");
  expect(runProcess(at("run"))).toEqual({ state: "finished" });
});

it("a run that came and went since the check is not overwritten", async () => {
  const run = directory(at("run"));
  await run.check({ resumes: false });
  write("run/train_results.json", "{}");
  await expect(run.begin({ startStep: undefined })).rejects.toThrow(/holds a finished run/);
  expect(existsSync(at("run", "train_results.json"))).toBe(true);
  await directory(at("run"), { overwrite: true }).check({ resumes: false }); // and the lock was given back
});

it("a new run removes what the one before left, and nothing else", async () => {
  for (const name of ["train_results.json", "metrics.jsonl", "checkpoint-5/x", "README.md", "notes.txt"]) write(`run/${name}`, "x");
  const run = directory(at("run"), { overwrite: true });
  await run.begin({ startStep: undefined });
  await run.end();
  expect(readdirSync(at("run"))).toEqual(["notes.txt"]);
});

it("a resumed run cuts its metrics back, half a line too, and appends", async () => {
  write("run/metrics.jsonl", '{"step":1}\n{"step":2,"text":"é"}\n{"step":3}\n{"st');
  const run = directory(at("run"));
  await run.begin({ startStep: 2 });
  await run.appendMetrics({ step: 3, loss: 0.5 });
  await run.end();
  expect(readFileSync(at("run", "metrics.jsonl"), "utf8")).toBe('{"step":1}\n{"step":2,"text":"é"}\n{"step":3,"loss":0.5}\n');
});

it("what a killed process left half-written goes when the folder is taken; files of somebody's stay", async () => {
  const dead = ["adapter_model.safetensors.0123abcd.tmp", "checkpoint-5.partial/x", "checkpoint-4.89abcdef.tmp/x", "push.0123abcd.tmp/x"];
  for (const name of [...dead, "notes.tmp", "mine.partial", "metrics.jsonl"]) write(`run/${name}`, "x");
  const run = directory(at("run"));
  await run.begin({ startStep: 0 });
  await run.end();
  expect(readdirSync(at("run"))).toEqual(["metrics.jsonl", "mine.partial", "notes.tmp"]);
});

it("a run that goes on has no results until it has ended again", async () => {
  write("run/train_results.json", "{}");
  write("run/checkpoint-5/x", "");
  const run = directory(at("run"));
  await run.begin({ startStep: 5 });
  expect(await run.results()).toBeUndefined();
  await run.writeResults({ global_step: 7 });
  await run.end();
  expect(await run.results()).toEqual({ global_step: 7 });
});

it("a write that fails says which file, and how to go on from the newest checkpoint", async () => {
  for (const step of [5, 10]) write(`run/checkpoint-${step}/x`, "");
  mkdirSync(at("run", "metrics.jsonl")); // a folder cannot be appended to
  mkdirSync(at("run", "train_results.json"));
  const run = directory(at("run"));
  await expect(run.appendMetrics({ step: 1 })).rejects.toMatchObject({
    code: "WRITE",
    reason: "EISDIR",
    path: at("run", "metrics.jsonl"),
    message: `train: ${at("run", "metrics.jsonl")} was not written; expected open to succeed, got EISDIR: the file system refused; see to it that it can be written and go on from checkpoint-10 with resumeFrom true`,
  });
  await expect(run.writeResults({})).rejects.toThrow(/^train: .*train_results\.json was not written; .* go on from checkpoint-10/);
  for (const step of [5, 10]) rmSync(at("run", `checkpoint-${step}`), { recursive: true });
  await expect(run.appendMetrics({ step: 1 })).rejects.toThrow(
    /see to it that it can be written and run it again; there is no checkpoint yet$/,
  );
  expect(readdirSync(at("run"))).toEqual(["metrics.jsonl", "train_results.json"]);
});

it("what lies in a folder without a run is left alone", async () => {
  for (const name of ["README.md", "trainer_state.json", "tokenizer.json"]) write(`mine/${name}`, "mine");
  const run = directory(at("mine"), { files: { "resolved_config.yaml": "seed: 1\n" } });
  await run.begin({ startStep: undefined });
  await expect(run.begin({ startStep: undefined })).rejects.toThrow(/has a run already/);
  await run.end();
  expect(readdirSync(at("mine"))).toEqual(["README.md", "resolved_config.yaml", "tokenizer.json", "trainer_state.json"]);
});

it("a run that goes on from an earlier checkpoint leaves the later ones behind", async () => {
  for (const step of [5, 10]) write(`run/checkpoint-${step}/x`, "");
  const run = directory(at("run"));
  await run.begin({ startStep: 5 });
  await run.end();
  expect(readdirSync(at("run"))).toEqual(["checkpoint-5"]);
});

it("opfs is for browsers", () => expect(() => opfs("outputs")).toThrow(/expected a browser, got Node; use directory\("outputs"\)/));
