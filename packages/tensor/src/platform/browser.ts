import { CapabilityError } from "@kto/core";
import type { GpuHandle, GpuOptions, NoAdapter } from "./types.js";

export const noAdapter: NoAdapter = {
  problem: "the browser gives no GPU adapter",
  expected: "one from navigator.gpu",
  got: "null",
  advice:
    "turn on hardware acceleration in the browser's settings, update browser and graphics driver, and see chrome://gpu or about:support for why WebGPU is off",
};

/** The browser's own WebGPU. Throws CapabilityError where there is none, with what the person at the browser can do. */
export async function openGpu({ adapter }: GpuOptions = {}): Promise<GpuHandle> {
  if (adapter !== undefined)
    throw new CapabilityError(
      {
        operation: "requestDevice",
        problem: "a browser does not let a page name an adapter",
        expected: "no adapter",
        got: `"${adapter}"`,
        advice: 'use powerPreference ("high-performance" or "low-power") to tell a fast one from a thrifty one',
      },
      { missing: "adapters by name" },
    );
  const gpu = globalThis.navigator?.gpu;
  if (gpu) return { gpu, release: () => undefined };
  const { isSecureContext = true } = globalThis as { isSecureContext?: boolean };
  throw new CapabilityError(
    {
      operation: "requestDevice",
      problem: isSecureContext ? "this browser has no WebGPU" : "this page was not loaded securely, and browsers then offer no WebGPU",
      expected: "navigator.gpu",
      got: "nothing",
      advice: isSecureContext
        ? "use a current Chrome, Edge, Safari or Firefox, and turn WebGPU on where it is off"
        : "open it over https://, or from localhost",
    },
    { missing: "navigator.gpu" },
  );
}
