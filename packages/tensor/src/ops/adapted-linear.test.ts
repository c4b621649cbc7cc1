import { afterEach, expect, it, vi } from "vitest";
import { Linear, requestDevice, type Device, type LinearAdapter, type Tensor } from "../index.js";
import { matmulKernel } from "../kernels/matmul.wgsl.js";
import { pipelinedMatmulKernel } from "../kernels/matmul-pipelined.wgsl.js";
import { skinnyMatmulKernel } from "../kernels/skinny-matmul.wgsl.js";

afterEach(() => vi.restoreAllMocks());

const tensorCores = {
  software: false,
  shaderF16: true,
  subgroups: true,
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  subgroupMatrix: ["f16 f32 16x16x16"],
  maxWorkgroupStorageBytes: 49_152,
};

async function onTensorCores(body: (device: Device) => void): Promise<void> {
  using device = await requestDevice({ nullBackend: true });
  Object.assign(device.capabilities, tensorCores);
  device.memory.rehearse(() => body(device));
}

/** Which tiles of which kernel compute x · Wᵀ in a forward pass of so many rows, without what is added to it. */
function productOf(device: Device, [m, n, k]: readonly [number, number, number], r: number | undefined): unknown {
  const plain = vi.spyOn(matmulKernel, "run");
  const pipelined = vi.spyOn(pipelinedMatmulKernel, "run");
  plain.mockClear();
  pipelined.mockClear();
  device.scope("forward", () => {
    const layer = new Linear(device.empty([n, k], "f16"));
    if (r !== undefined) {
      const delta = { a: device.empty([r, k], "f32"), b: device.empty([n, r], "f32"), scale: 1 };
      layer.adapter = { isActive: true, delta, apply: (base: Tensor) => base } satisfies LinearAdapter;
    }
    layer.forward(device.empty([m, k], "f16"), { dtype: "f16" });
  });
  return [
    ...plain.mock.calls.map(([, , { m: rows, n: columns }, spec]) => ({ kernel: "matmul", rows, columns, fewTiles: spec.fewTiles })),
    ...pipelined.mock.calls.map(([, , { m: rows, n: columns }, { order, fewTiles }]) => ({
      kernel: "pipelined",
      rows,
      columns,
      order,
      fewTiles,
    })),
  ];
}

const sizes = [40, 128, 500, 768, 2048, 3072].flatMap((m) =>
  (
    [
      [256, 1536],
      [128, 896],
      [896, 4864],
      [1536, 1536],
      [8960, 1536],
      [1536, 8960],
      [1000, 1536],
      [1536, 1000],
    ] as const
  ).map(([n, k]) => [m, n, k] as const),
);

it("a product has the same tiles with an update inside as without: policy and reference differ by the update alone", async () => {
  await onTensorCores((device) => {
    for (const size of sizes) {
      const alone = productOf(device, size, undefined);
      for (const r of [8, 12, 16, 64, 128]) expect(productOf(device, size, r), `${size.join(" × ")}, rank ${r}`).toEqual(alone);
    }
  });
});

it("the update goes inside where the sizes are whole vectors and the rows are many", async () => {
  await onTensorCores((device) => {
    const skinny = vi.spyOn(skinnyMatmulKernel, "run");
    const isInside = (size: readonly [number, number, number], r: number): boolean => {
      skinny.mockClear();
      productOf(device, size, r);
      return skinny.mock.calls.length > 0;
    };
    expect([isInside([2048, 1536, 1536], 16), isInside([2048, 256, 1536], 64)]).toEqual([true, true]);
    expect([isInside([2048, 1536, 1536], 12), isInside([2048, 1536, 1536], 128)]).toEqual([false, false]);
    expect([isInside([32, 8960, 1536], 16), isInside([2048, 1000, 1536], 16)]).toEqual([false, false]);
  });
});
