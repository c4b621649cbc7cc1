import { fork, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import type { Report, Task } from "./child.js";
import { inputAt } from "./inputs.js";
import type { Failure, Finding, FuzzTarget } from "./target.js";

/** Wall time after which an input counts as endless: far above its bound, for a machine that does other work too. */
const endlessMilliseconds = 20_000;
const heapMegabytes = 1024;

/** What became of a target. */
export interface Outcome {
  target: string;
  /** Inputs read. */
  count: number;
  failures: Failure[];
}

/** Runs TypeScript in a child, however this process was started. */
const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

/** Where the readers are. */
const targetsModule = new URL("targets.ts", import.meta.url).href;

/** How a target is fuzzed. */
export interface FuzzOptions {
  seed: number;
  milliseconds: number;
  /** The module whose `targets` has the target; default `targets.ts`. */
  module?: string;
  /** Stops after so many; default 20. */
  mostFailures?: number;
}

/** Reads inputs of a target in child processes until the time is up; what fails is read once more, alone, and counts if it fails there. */
export async function fuzzTarget(
  target: FuzzTarget,
  { seed, milliseconds, module = targetsModule, mostFailures = 20 }: FuzzOptions,
): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "kto-fuzz-"));
  const seeds = await target.seeds();
  const end = performance.now() + milliseconds;
  const failures: Failure[] = [];
  let next = 0;
  try {
    while ((next < seeds.length || performance.now() < end) && failures.length < mostFailures) {
      const task = {
        target: target.name,
        module,
        seed,
        start: next,
        milliseconds: end - performance.now(),
        statusFile: join(folder, "status"),
      };
      const { findings, reached } = await runChild(task);
      next = reached;
      for (const finding of findings) {
        const input = inputAt(target, seeds, seed, finding.index!);
        const confirmed = finding.kind === "untyped error" ? finding : await confirm(target.name, module, input, folder);
        if (confirmed) failures.push({ ...confirmed, target: target.name, index: finding.index, input });
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return { target: target.name, count: next, failures };
}

/** Reads one input in a process of its own. */
export async function readAlone(target: string, inputFile: string, module: string = targetsModule): Promise<Finding | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "kto-fuzz-"));
  try {
    const { findings } = await runChild({
      target,
      module,
      seed: 0,
      start: 0,
      milliseconds: 0,
      statusFile: join(folder, "status"),
      inputFile,
    });
    return findings[0];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function confirm(target: string, module: string, input: Uint8Array, folder: string): Promise<Finding | undefined> {
  const file = join(folder, "input");
  writeFileSync(file, input);
  return readAlone(target, file, module);
}

/** Runs a child to its end. `reached` is the first input that it did not read. */
function runChild(task: Task): Promise<{ findings: Finding[]; reached: number }> {
  writeFileSync(task.statusFile, `${task.start}\n`);
  const child = fork(new URL("child.ts", import.meta.url), [JSON.stringify(task)], {
    execArgv: ["--import", loader, "--conditions=@kto/source", `--max-old-space-size=${heapMegabytes}`],
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  return new Promise((resolve) => {
    const findings: Finding[] = [];
    let [done, endless]: [number | undefined, boolean] = [undefined, false];
    const timer = watchFor(child, task.statusFile, () => (endless = true));
    child.on("message", (report: Report) => {
      if ("done" in report) done = report.done;
      else findings.push(report.failure);
    });
    child.on("close", (code, signal) => {
      clearInterval(timer);
      const at = currentOf(task.statusFile, task.start);
      const stopped = findings.some(({ index, kind }) => index === at && kind !== "untyped error");
      if (done === undefined && !stopped) {
        const detail = endless ? `no result after ${endlessMilliseconds / 1000} s` : `exit ${code ?? signal}`;
        findings.push({ index: task.inputFile === undefined ? at : null, kind: endless ? "too slow" : "the process ended", detail });
      }
      resolve({ findings, reached: done ?? at + 1 });
    });
  });
}

/** Ends a child that stays at one input. */
function watchFor(child: ChildProcess, statusFile: string, onEndless: () => void): NodeJS.Timeout {
  let [seen, since] = ["", performance.now()];
  return setInterval(() => {
    const now = readFileSync(statusFile, "utf8");
    if (now !== seen) [seen, since] = [now, performance.now()];
    else if (performance.now() - since > endlessMilliseconds) {
      onEndless();
      child.kill("SIGKILL");
    }
  }, 250);
}

/** Numbers grow and are written over each other, so the first line is the last one written. */
function currentOf(statusFile: string, start: number): number {
  const index = Number.parseInt(readFileSync(statusFile, "utf8"), 10);
  return Number.isNaN(index) ? start : index;
}
