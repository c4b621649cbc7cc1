import { openSync, readFileSync, writeSync } from "node:fs";
import { isKtoError } from "@kto/core";
import { peakMemory } from "../../packages/testing/src/peak-memory.js"; // alone: the whole entry takes long to load

import { inputAt } from "./inputs.js";
import { boundsOf, type Finding, type FuzzTarget } from "./target.js";

/** What a child is told: inputs from `start` on until time is up, or one file alone. */
export interface Task {
  target: string;
  /** The module whose `targets` has it. */
  module: string;
  seed: number;
  start: number;
  milliseconds: number;
  /** Where it writes the number of the input that it is about to read, for who watches it. */
  statusFile: string;
  inputFile?: string;
}

/** What a child sends back. */
export type Report = { failure: Finding } | { done: number };

const task = JSON.parse(process.argv[2]!) as Task;
const send = (report: Report): Promise<void> => new Promise((resolve) => process.send!(report, undefined, undefined, () => resolve()));

/** Kind and detail of what went wrong in reading, or undefined. */
async function tried(read: () => unknown, byteLength: number, grown: () => number): Promise<Omit<Finding, "index"> | undefined> {
  const started = process.cpuUsage();
  try {
    await read();
  } catch (error) {
    if (!isKtoError(error)) return { kind: "untyped error", detail: stackOf(error) };
    if (error.message.length > 4000)
      return { kind: "untyped error", detail: `a message of ${error.message.length} letters: ${error.message.slice(0, 80)}` };
  }
  const { user, system } = process.cpuUsage(started);
  const bounds = boundsOf(byteLength);
  const bytes = grown(); // asked first: touching new pages is what takes the time of a reader that is both
  if (bytes > bounds.bytes) return { kind: "too much memory", detail: `${Math.round(bytes / 2 ** 20)} MiB for ${byteLength} bytes` };
  const milliseconds = (user + system) / 1000;
  if (milliseconds > bounds.milliseconds) return { kind: "too slow", detail: `${Math.round(milliseconds)} ms for ${byteLength} bytes` };
  return undefined;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error).slice(0, 200)}`;
  const frames = (error.stack ?? "").split("\n").filter((line) => line.trimStart().startsWith("at "));
  return [`${error.name}: ${error.message.slice(0, 200)}`, ...frames.slice(0, 4)].join("\n");
}

const { targets } = (await import(task.module)) as { targets: readonly FuzzTarget[] };
const target = targets.find(({ name }) => name === task.target)!;
const seeds = await target.seeds();
await target.read(seeds[0]!); // what is loaded on demand is loaded, and its code is warm
const status = openSync(task.statusFile, "w");
const before = peakMemory();
const grown = (): number => peakMemory() - before;

if (task.inputFile !== undefined) {
  const input = new Uint8Array(readFileSync(task.inputFile));
  const failure = await tried(() => target.read(input), input.length, grown);
  await send(failure ? { failure: { ...failure, index: null } } : { done: 1 });
} else {
  const end = performance.now() + task.milliseconds;
  let index = task.start;
  for (; index < seeds.length || performance.now() < end; index++) {
    writeSync(status, `${index}\n`, 0);
    const input = inputAt(target, seeds, task.seed, index);
    const failure = await tried(() => target.read(input), input.length, grown);
    if (!failure) continue;
    await send({ failure: { ...failure, index } });
    if (failure.kind !== "untyped error") process.exit(0); // what this process holds says nothing of the next input
  }
  await send({ done: index });
}
process.exit(0);
