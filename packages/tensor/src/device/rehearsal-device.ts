import type { Capabilities } from "./capabilities.js";
import { Device } from "./device.js";

/** Alignment of dynamic offsets where a device asks for no other; what WebGPU promises at least. */
const minUniformBufferOffsetAlignment = 256;

/**
 * A device that computes nothing and holds nothing, where there is a GPU or none: tensors are counted and not made, kernels and copies do nothing, and reading
 * throws CapabilityError. `device.memory` tells to the byte what a device with these capabilities would hold, so that a model can be made, and a run of it
 * planned, without its weights and without WebGPU.
 */
export function rehearsalDevice(capabilities: Capabilities): Device {
  return new Device({ gpuDevice: standIn(), capabilities, release: () => undefined, isRehearsal: true });
}

/** As much of a GPUDevice as a device touches that rehearses. */
function standIn(): GPUDevice {
  const nothing = (): undefined => undefined;
  const parts = {
    limits: { minUniformBufferOffsetAlignment },
    lost: new Promise(nothing), // never
    queue: { onSubmittedWorkDone: () => Promise.resolve() },
    addEventListener: nothing,
    createBuffer: ({ size }: { size: number }) => ({ size, destroy: nothing }),
    pushErrorScope: nothing,
    popErrorScope: () => Promise.resolve(null),
    destroy: nothing,
  };
  return parts as unknown as GPUDevice;
}
