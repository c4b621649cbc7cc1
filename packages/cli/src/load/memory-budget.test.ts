import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Device } from "@kto/tensor";
import { afterEach, beforeEach, expect, it } from "vitest";
import { gpuMemory } from "./gpu-info.js";
import { memoryBudget } from "./memory-budget.js";

const MiB = 2 ** 20;
const path = process.env["PATH"];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nvidia-smi-"));
  process.env["PATH"] = folder; // nothing but what the test puts there
});
afterEach(() => {
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true });
});

/** A program of that name that prints this, whatever it is asked. */
function nvidiaSmi(output: string, status = 0): void {
  writeFileSync(join(folder, "nvidia-smi"), `#!/bin/sh\necho '${output}'\nexit ${status}\n`);
  chmodSync(join(folder, "nvidia-smi"), 0o755);
}

const device = (allocatedBytes: number, software = false): Device =>
  ({ capabilities: { software }, memory: { info: () => ({ allocatedBytes }) } }) as never;

it("is what the device holds and most of what nvidia-smi calls free", () => {
  nvidiaSmi("81559, 10000");
  expect(gpuMemory()).toEqual({ totalBytes: 81_559 * MiB, freeBytes: 10_000 * MiB });
  expect(memoryBudget(device(500 * MiB), null)).toBe((500 + 0.95 * 10_000 - 256) * MiB);
});

it("is what the user says, whatever is free", () => {
  nvidiaSmi("81559, 10000");
  expect(memoryBudget(device(500 * MiB), 3 * MiB)).toBe(3 * MiB);
});

it("is what the device holds where nothing is free", () => {
  nvidiaSmi("81559, 100");
  expect(memoryBudget(device(500 * MiB), null)).toBe(500 * MiB);
});

it.each([
  ["there is no such program", undefined],
  ["it fails", () => nvidiaSmi("NVIDIA-SMI has failed", 9)],
  ["it prints something else", () => nvidiaSmi("[N/A], [N/A]")],
])("is unknown where %s", (_, prepare) => {
  prepare?.();
  expect(gpuMemory()).toBeUndefined();
  expect(memoryBudget(device(0), null)).toBeUndefined();
});

it("is the machine's memory for a software adapter", () => {
  expect(memoryBudget(device(0, true), null)).toBeGreaterThan(0);
});
