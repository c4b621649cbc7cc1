import { execFileSync } from "node:child_process";
import { freemem } from "node:os";
import type { Device } from "@kto/tensor";

/** Memory of a GPU. */
export interface GpuMemory {
  totalBytes: number;
  freeBytes: number;
}

/** Left to the driver, which needs memory of its own for pipelines and queues, and to what else runs. */
const reserve = { share: 0.05, bytes: 256 * 2 ** 20 };

/** Memory of the first GPU as `nvidia-smi` tells it, or undefined without that program. */
export function gpuMemory(): GpuMemory | undefined {
  try {
    const text = execFileSync("nvidia-smi", ["--query-gpu=memory.total,memory.free", "--format=csv,noheader,nounits"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 5000,
    });
    const [total, free] = text.split("\n")[0]!.split(",").map(Number);
    return Number.isFinite(total) && Number.isFinite(free) ? { totalBytes: total! * 2 ** 20, freeBytes: free! * 2 ** 20 } : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes of memory that nobody uses on the device now; undefined where nothing tells. A software device lives in the host's memory. */
export function freeBytes(device: Device): number | undefined {
  return device.capabilities.software ? freemem() : gpuMemory()?.freeBytes;
}

/** Bytes that all buffers of a device may take together: what it holds now and what is free beside it, but for a reserve. */
export function memoryBudget(allocatedBytes: number, free: number | undefined): number | undefined {
  return free === undefined ? undefined : Math.floor(allocatedBytes + Math.max(0, free * (1 - reserve.share) - reserve.bytes));
}
