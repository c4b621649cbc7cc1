import { CapabilityError } from "@kto/core";
import type { GpuHandle, GpuOptions } from "./types.js";

/** The browser's own WebGPU. */
export async function openGpu(_options: GpuOptions = {}): Promise<GpuHandle> {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu)
    throw new CapabilityError(
      "requestDevice: this browser has no WebGPU; expected navigator.gpu, got nothing; use a browser with WebGPU enabled",
    );
  return { gpu, release: () => undefined };
}
