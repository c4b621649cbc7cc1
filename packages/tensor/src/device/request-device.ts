import { CapabilityError } from "@kto/core";
import { noAdapter, openGpu } from "#platform";
import type { PowerPreference } from "../platform/webgpu-types.js";
import { readCapabilities } from "./capabilities.js";
import { Device } from "./device.js";

/** Options of `requestDevice`. */
export interface RequestDeviceOptions {
  powerPreference?: PowerPreference;
  /** In Node: Dawn's null backend, which compiles every shader and computes nothing. */
  nullBackend?: boolean;
  /** In Node: an adapter by a part of its name, in any letter case ("h100"). Throws CapabilityError, with the names there are, if none has it; in a browser always. */
  adapter?: string | undefined;
  /** Refuse an adapter that runs on the CPU. */
  hardwareOnly?: boolean;
}

const wantedFeatures = ["shader-f16", "subgroups", "subgroup-size-control", "timestamp-query", "chromium-experimental-subgroup-matrix"];

const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxStorageBuffersPerShaderStage",
] as const;

/**
 * Opens the best adapter, or the one that is named: Dawn in Node, `navigator.gpu` in a browser. Asks for every feature a kernel can use and for the adapter's own limits.
 * Throws CapabilityError if there is no adapter.
 */
export async function requestDevice(options: RequestDeviceOptions = {}): Promise<Device> {
  const { gpu, release } = await openGpu({ nullBackend: options.nullBackend ?? false, adapter: options.adapter });
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: options.powerPreference ?? "high-performance" });
    if (!adapter) throw new CapabilityError({ operation: "requestDevice", ...noAdapter }, { missing: "adapter" });
    const requiredFeatures = wantedFeatures.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[];
    const limits = adapter.limits as unknown as Record<string, number>;
    const requiredLimits = Object.fromEntries(wantedLimits.map((name) => [name, limits[name]!]));
    const gpuDevice = await adapter.requestDevice({ requiredFeatures, requiredLimits });
    const capabilities = readCapabilities(adapter, gpuDevice);
    if (options.hardwareOnly && capabilities.software) {
      gpuDevice.destroy();
      throw new CapabilityError(
        {
          operation: "requestDevice",
          problem: `expected a hardware adapter, got "${capabilities.description}", which runs on the CPU`,
          advice: "allow it by leaving hardwareOnly out",
        },
        { missing: "hardware adapter" },
      );
    }
    return new Device({ gpuDevice, capabilities, release });
  } catch (error) {
    release();
    throw error;
  }
}
