import { execFile, execFileSync } from "node:child_process";
import { freemem } from "node:os";
import { promisify } from "node:util";
import type { Device } from "@kto/tensor";

/** Memory of a GPU. */
export interface GpuMemory {
  totalBytes: number;
  freeBytes: number;
}

/** Left to the driver, which needs memory of its own for pipelines and queues, and to what else runs. */
const reserve = { share: 0.05, bytes: 256 * 2 ** 20 };

const command = "nvidia-smi";
const argv = ["--query-gpu=memory.total,memory.free", "--format=csv,noheader,nounits"];
const timeout = 5000;

/** Memory of the first GPU as `nvidia-smi` tells it, or undefined without that program. */
export function gpuMemory(): GpuMemory | undefined {
  try {
    return parsed(execFileSync(command, argv, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout }));
  } catch {
    return undefined;
  }
}

/** The same without waiting: the program takes a tenth of a second to some, in which a device can be opened. */
export async function readGpuMemory(): Promise<GpuMemory | undefined> {
  try {
    return parsed((await promisify(execFile)(command, argv, { encoding: "utf8", timeout })).stdout);
  } catch {
    return undefined;
  }
}

function parsed(text: string): GpuMemory | undefined {
  const [total, free] = text.split("\n")[0]!.split(",").map(Number);
  return Number.isFinite(total) && Number.isFinite(free) ? { totalBytes: total! * 2 ** 20, freeBytes: free! * 2 ** 20 } : undefined;
}

const found = new WeakMap<Device, GpuMemory>();

/** Remembers how much memory there was when a device was opened. */
export function noteGpuMemory(device: Device, memory: GpuMemory): void {
  found.set(device, memory);
}

/** Memory of its GPU when `openDevice` opened a device; undefined where nothing told. */
export function gpuMemoryAtOpening(device: Device): GpuMemory | undefined {
  return found.get(device);
}

/** Bytes of memory that nobody uses on the device now; undefined where nothing tells. A software device lives in the host's memory. */
export function freeBytes(device: Device): number | undefined {
  return device.capabilities.software ? freemem() : gpuMemory()?.freeBytes;
}

/** Bytes that all buffers of a device may take together: what it holds now and what is free beside it, but for a reserve. */
export function memoryBudget(allocatedBytes: number, free: number | undefined): number | undefined {
  return free === undefined ? undefined : Math.floor(allocatedBytes + Math.max(0, free * (1 - reserve.share) - reserve.bytes));
}
