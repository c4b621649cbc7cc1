/**
 * Names of WebGPU's types that stand in this package's declarations. TypeScript 6 brings them with `dom`, `@webgpu/types` brings them too, and
 * a program may have neither: an empty interface merges with what is there, and where nothing is, it keeps the declarations whole.
 */
declare global {
  interface GPU {}
  interface GPUAdapter {}
  interface GPUBindGroup {}
  interface GPUBindGroupLayout {}
  interface GPUBuffer {}
  interface GPUBufferDescriptor {}
  interface GPUCommandEncoder {}
  interface GPUComputePassTimestampWrites {}
  interface GPUComputePipeline {}
  interface GPUDevice {}
}

// Aliases do not merge, so these are our own.

/** WebGPU's `GPUPowerPreference`. */
export type PowerPreference = "low-power" | "high-performance";

/** WebGPU's `GPUBufferBindingType`. */
export type BindingType = "uniform" | "storage" | "read-only-storage";
