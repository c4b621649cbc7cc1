import type { Capabilities } from "@kto/tensor";

/** A GPU with f16, subgroups of 32 and memory enough, but without matrix units: for devices that rehearse. */
export const plainGpu: Capabilities = {
  description: "a GPU that is not there",
  vendor: "",
  architecture: "",
  shaderF16: true,
  subgroups: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  subgroupMatrix: [],
  timestampQuery: false,
  software: false,
  maxWorkgroupStorageBytes: 49_152,
  maxInvocationsPerWorkgroup: 1024,
  maxBufferBytes: 2 ** 40,
  maxBindingBytes: 2 ** 31 - 4,
  maxStorageBuffers: 16,
};

/** The same with the matrix units that an H200 shows through Dawn. */
export const matrixGpu: Capabilities = { ...plainGpu, subgroupMatrix: ["f16 f16 16x16x16", "f16 f32 16x16x16"] };
