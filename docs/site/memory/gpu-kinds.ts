import type { Capabilities } from "@kto/tensor";

const gpu: Capabilities = {
  description: "a GPU",
  vendor: "",
  architecture: "",
  shaderF16: true,
  subgroups: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  subgroupMatrix: [],
  timestampQuery: false,
  software: false,
  maxWorkgroupStorageBytes: 32_768,
  maxInvocationsPerWorkgroup: 1024,
  maxBufferBytes: 2 ** 32,
  maxBindingBytes: 2 ** 32 - 4,
  maxStorageBuffers: 10,
};

/** Kinds of GPUs, by what decides which kernels run on them. */
export const gpuKinds = {
  matrix: {
    label: "NVIDIA, through Node (matrix units)",
    capabilities: {
      ...gpu,
      subgroupMatrix: ["f16 f16 16x16x16", "f16 f32 16x16x16"],
      maxWorkgroupStorageBytes: 49_152,
      maxStorageBuffers: 16,
    },
  },
  plain: { label: "another GPU, or a browser (16-bit floats)", capabilities: gpu },
  f32: { label: "a GPU without 16-bit floats", capabilities: { ...gpu, shaderF16: false } },
} as const satisfies Record<string, { label: string; capabilities: Capabilities }>;

export type GpuKind = keyof typeof gpuKinds;
