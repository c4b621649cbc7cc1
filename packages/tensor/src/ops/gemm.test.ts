import { afterEach, expect, it, vi } from "vitest";
import { gemm, requestDevice, type Capabilities, type Gemm } from "../index.js";
import { splitSumKernel } from "../kernels/split-sum.wgsl.js";

afterEach(() => vi.restoreAllMocks());

const gpu = { software: false, shaderF16: true, subgroups: true, subgroupMinSize: 32, subgroupMaxSize: 32, subgroupMatrix: [] };
const tensorCores = { ...gpu, subgroupMatrix: ["f16 f32 16x16x16"], maxWorkgroupStorageBytes: 49_152 };

/** True if a 64 × 64 product of f16 matrices, 8,192 deep, is split on such a device. */
async function isSplit(capabilities: Partial<Capabilities>, options: Partial<Gemm> = {}, variant?: string): Promise<boolean> {
  using device = await requestDevice({ nullBackend: true });
  Object.assign(device.capabilities, capabilities);
  if (variant) device.recorder.variants.set("matmul", variant);
  const sum = vi.spyOn(splitSumKernel, "run");
  sum.mockClear();
  device.memory.rehearse(() => {
    const [m, n, k] = [64, 64, 8192];
    const [a, b, c] = [device.empty([m, k], "f16"), device.empty([k, n], "f16"), device.empty([m, n], "f32")];
    gemm({ a, b, c, m, n, k, ...options });
  });
  return sum.mock.calls.length > 0;
}

it("a deep product is split where the variant that runs splits: not on matrix units, whatever its operands, but where it is asked for", async () => {
  expect(await isSplit(gpu)).toBe(true);
  expect(await isSplit(tensorCores)).toBe(false);
  expect(await isSplit(tensorCores, { transposeA: true })).toBe(true); // which matrix units do not take
  expect(await isSplit(tensorCores, {}, "tiled")).toBe(true);
  expect(await isSplit(tensorCores, { splits: 4 })).toBe(true);
});
