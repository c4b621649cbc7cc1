import { freemem } from "node:os";
import type { Device } from "@kto/tensor";
import { gpuMemory } from "./gpu-info.js";

/** Left to the driver, which needs memory of its own for pipelines and queues, and to what else runs. */
const reserve = { share: 0.05, bytes: 256 * 2 ** 20 };

/**
 * Bytes that all buffers of a device may take together: what the user allows, else what the device holds now and what is free beside it. Undefined
 * where nothing tells how much is free.
 */
export function memoryBudget(device: Device, maxMemory: number | null): number | undefined {
  if (maxMemory !== null) return maxMemory;
  const freeBytes = device.capabilities.software ? freemem() : gpuMemory()?.freeBytes;
  if (freeBytes === undefined) return undefined;
  return Math.floor(device.memory.info().allocatedBytes + Math.max(0, freeBytes * (1 - reserve.share) - reserve.bytes));
}
