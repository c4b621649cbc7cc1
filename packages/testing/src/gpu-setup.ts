import { installSoftwareGpu } from "@kto/software-gpu";
import { lendDevices, type WebGpuClasses } from "./lent-devices.js";

// Runs before each *.gpu.test.ts, so before anything can import webgpu. KTO_DEVICE=gpu takes the machine's own adapter instead.
if (process.env["KTO_DEVICE"] !== "gpu") {
  await installSoftwareGpu();
  const { globals } = await import("webgpu");
  lendDevices(globals as unknown as WebGpuClasses);
}
