import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import {
  backward,
  checkpoint,
  Linear,
  mul,
  requestDevice,
  sum,
  type Device,
  type FloatDtype,
  type LinearAdapter,
  type Tensor,
} from "../index.js";
import { hasSubgroupMatrix } from "../kernels/lib/subgroup-matrix.js";
import { matmulKernel } from "../kernels/matmul.wgsl.js";
import { pipelinedMatmulKernel } from "../kernels/matmul-pipelined.wgsl.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterEach(() => device.recorder.variants.clear());
afterAll(() => device?.dispose());

const [numTokens, inFeatures, outFeatures, r] = [128, 128, 192, 16];

function waves(shape: [number, number], dtype: FloatDtype, step: number): Tensor {
  return device.tensor(
    Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(step * i)),
    shape,
    dtype,
  );
}

/** Gradients of a residual stream and of a layer's factors or weight, run again with or without its result; and the products of that layer's size on the way back. */
async function outcome(dtype: FloatDtype, isAdapted: boolean, isRead: boolean): Promise<{ gradients: Float32Array[]; products: number }> {
  const plain = vi.spyOn(matmulKernel, "run");
  const pipelined = vi.spyOn(pipelinedMatmulKernel, "run");
  const { gradients, products } = device.scope(() => {
    const layer = new Linear(waves([outFeatures, inFeatures], dtype, 0.7));
    const delta = { a: waves([r, inFeatures], "f32", 0.3), b: waves([outFeatures, r], "f32", 0.9), scale: 0.5 };
    if (isAdapted) layer.adapter = { isActive: true, delta, apply: (base: Tensor) => base } satisfies LinearAdapter;
    const stream = waves([numTokens, outFeatures], "f32", 0.2);
    const leaves = isAdapted ? [stream, delta.a, delta.b] : [stream, layer.weight];
    for (const leaf of leaves) leaf.requiresGrad = true;
    const x = waves([numTokens, inFeatures], dtype, 1.1);
    const block = (to: Tensor, read = true): Tensor => layer.forwardOnto(mul(to, to), x, { isRead: read });
    const y = checkpoint(block, stream, { again: (to) => block(to, isRead) });
    const loss = sum(mul(y, y));
    for (const run of [plain, pipelined]) run.mockClear();
    using found = device.unscoped(() => backward(loss));
    const sizes = [...plain.mock.calls, ...pipelined.mock.calls].map(([, , { m, n, k }]) => [m, n, k].join(" × "));
    return {
      gradients: leaves.map((leaf) => device.unscoped(() => device.copyOf(found.get(leaf)!))),
      products: sizes.filter((size) => size === [numTokens, outFeatures, inFeatures].join(" × ")).length,
    };
  });
  vi.restoreAllMocks();
  const read = await device.readAll(gradients);
  for (const gradient of gradients) gradient.dispose();
  return { gradients: read, products };
}

it.each(["f32", "f16"] as const)(
  "a layer whose result is not read gives the same gradients, to the bit, and leaves its product out: %s",
  async (dtype) => {
    if (dtype === "f16" && !device.capabilities.shaderF16) return; // no f16 tensors there
    const { variants } = device.recorder;
    const isAdapted = dtype === "f16";
    if (isAdapted)
      for (const kernel of ["pipelinedMatmul", "skinnyMatmul"])
        variants.set(kernel, hasSubgroupMatrix(device.capabilities) ? "subgroup" : "emulated");
    const read = await outcome(dtype, isAdapted, true);
    expect(read.products).toBe(1);
    expect(await outcome(dtype, isAdapted, false)).toEqual({ ...read, products: 0 });
  },
);
