import { afterEach, expect, it, vi } from "vitest";
import { gemm, pipelines, requestDevice, type Capabilities, type Gemm } from "../index.js";
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

it("a product is pipelined where workgroup memory holds it, sizes are whole vectors and rows enough, and never where rows must not depend on others", async () => {
  const isPipelined = async (
    product: Partial<Gemm>,
    capabilities: Partial<Capabilities> = tensorCores,
    forced?: string,
  ): Promise<boolean> => {
    using device = await requestDevice({ nullBackend: true });
    Object.assign(device.capabilities, capabilities);
    if (forced) device.recorder.variants.set(forced, forced === "matmul" ? "plain" : "subgroup");
    using a = device.empty([8], "f16");
    return pipelines({ a, b: a, m: 2048, n: 1536, k: 1536, ...product });
  };
  expect(await isPipelined({})).toBe(true);
  expect(await isPipelined({}, { ...tensorCores, maxWorkgroupStorageBytes: 32_768 })).toBe(false);
  expect(await isPipelined({}, gpu)).toBe(false);
  expect(await isPipelined({}, tensorCores, "matmul")).toBe(false);
  expect(await isPipelined({ isRowwise: true })).toBe(false);
  expect([await isPipelined({ m: 128 }), await isPipelined({ m: 128 }, tensorCores, "pipelinedMatmul")]).toEqual([false, true]);
  for (const odd of [{ n: 1540 }, { k: 1568 }, { bOffset: 4 }, { transposeA: true }, { splits: 2 }])
    expect(await isPipelined(odd), JSON.stringify(odd)).toBe(false);
});
