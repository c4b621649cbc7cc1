import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Device } from "@kto/tensor";
import { afterEach, beforeEach, expect, it } from "vitest";
import { freeBytes, gpuMemory, gpuMemoryAtOpening, memoryBudget, noteGpuMemory, readGpuMemory } from "./gpu-memory.js";

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

const device = (software = false): Device => ({ capabilities: { software } }) as never;

it("is told without waiting too, and remembered of a device that was opened meanwhile", async () => {
  nvidiaSmi("81559, 10000");
  const memory = await readGpuMemory();
  expect(memory).toEqual(gpuMemory());
  const opened = device();
  expect(gpuMemoryAtOpening(opened)).toBeUndefined();
  noteGpuMemory(opened, memory!);
  expect(gpuMemoryAtOpening(opened)).toBe(memory);
  nvidiaSmi("failed", 9);
  expect(await readGpuMemory()).toBeUndefined();
});

it("is, as a budget, what the device holds and most of what nvidia-smi calls free", () => {
  nvidiaSmi("81559, 10000");
  expect(gpuMemory()).toEqual({ totalBytes: 81_559 * MiB, freeBytes: 10_000 * MiB });
  expect(memoryBudget(500 * MiB, freeBytes(device()))).toBe((500 + 0.95 * 10_000 - 256) * MiB);
});

it("is what the device holds where nothing is free", () => {
  nvidiaSmi("81559, 100");
  expect(memoryBudget(500 * MiB, freeBytes(device()))).toBe(500 * MiB);
});

it.each([
  ["there is no such program", undefined],
  ["it fails", () => nvidiaSmi("NVIDIA-SMI has failed", 9)],
  ["it prints something else", () => nvidiaSmi("[N/A], [N/A]")],
])("is unknown where %s", (_, prepare) => {
  prepare?.();
  expect(gpuMemory()).toBeUndefined();
  expect(memoryBudget(0, freeBytes(device()))).toBeUndefined();
});

it("is of the machine's memory for a software adapter", () => {
  expect(memoryBudget(0, freeBytes(device(true)))).toBeGreaterThan(0);
});
