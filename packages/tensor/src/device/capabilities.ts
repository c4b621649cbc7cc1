/** What a device can do, as plain data, so that a test can pretend. */
export interface Capabilities {
  readonly description: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly shaderF16: boolean;
  readonly subgroups: boolean;
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** Shapes usable by `subgroupMatrix*`, as "f16 f16 f32 16x16x16" style keys (component, result, MxNxK). */
  readonly subgroupMatrix: readonly string[];
  readonly timestampQuery: boolean;
  /** True for an adapter that runs on the CPU: barriers are costly there and kernels without workgroup memory win. */
  readonly software: boolean;
  readonly maxWorkgroupStorageBytes: number;
  readonly maxInvocationsPerWorkgroup: number;
  readonly maxBufferBytes: number;
  readonly maxBindingBytes: number;
  readonly maxStorageBuffers: number;
}

interface SubgroupMatrixConfig {
  componentType: string;
  resultComponentType: string;
  M: number;
  N: number;
  K: number;
}

/** Reads the capabilities of an adapter's device. */
export function readCapabilities(adapter: GPUAdapter, device: GPUDevice): Capabilities {
  const info = adapter.info as GPUAdapterInfo & {
    subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig>;
    subgroupMinSize?: number;
    subgroupMaxSize?: number;
  };
  const has = (feature: string): boolean => device.features.has(feature);
  const matrixConfigs = has("chromium-experimental-subgroup-matrix") ? [...(info.subgroupMatrixConfigs ?? [])] : [];
  const description = info.description || info.device || info.vendor || "unknown adapter";
  return {
    description,
    vendor: info.vendor,
    architecture: info.architecture,
    shaderF16: has("shader-f16"),
    subgroups: has("subgroups"),
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    subgroupMatrix: matrixConfigs.map((c) => `${c.componentType} ${c.resultComponentType} ${c.M}x${c.N}x${c.K}`),
    timestampQuery: has("timestamp-query"),
    software: /swiftshader|llvmpipe|software|basic render/i.test(`${description} ${info.architecture} ${info.device}`),
    maxWorkgroupStorageBytes: device.limits.maxComputeWorkgroupStorageSize,
    maxInvocationsPerWorkgroup: device.limits.maxComputeInvocationsPerWorkgroup,
    maxBufferBytes: device.limits.maxBufferSize,
    maxBindingBytes: device.limits.maxStorageBufferBindingSize,
    maxStorageBuffers: device.limits.maxStorageBuffersPerShaderStage,
  };
}
