import { full, requestDevice, scale } from "@kto/tensor";
import { describe, expect, it } from "vitest";

const isLent = process.env["KTO_DEVICE"] !== "gpu";

describe.runIf(isLent)("a software device that was disposed", () => {
  it("is lent again, emptied, with what was compiled for it", async () => {
    const first = await requestDevice();
    const x = full(first, [4], 2, "f32");
    expect([...(await scale(x, 3).read())]).toEqual([6, 6, 6, 6]);
    const compiling = millisecondsToCompile(first.gpuDevice);
    const { gpuDevice } = first;
    const raw = gpuDevice.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    await raw.mapAsync(GPUMapMode.READ);
    let reason: string | undefined;
    void gpuDevice.lost.then((info) => (reason = info.reason));
    first.dispose();
    await gpuDevice.lost;
    expect(reason).toBe("destroyed");
    expect(raw.mapState).toBe("unmapped");

    using second = await requestDevice();
    expect(second.gpuDevice).toBe(gpuDevice);
    expect(second.recorder.numPipelines).toBe(0); // of the Device, which is another
    expect([...(await scale(full(second, [4], 1, "f32"), 3).read())]).toEqual([3, 3, 3, 3]);
    expect(millisecondsToCompile(gpuDevice)).toBeLessThan(compiling / 4);
    let isLost = false;
    void second.gpuDevice.lost.then(() => (isLost = true));
    await second.sync();
    expect(isLost).toBe(false);
  });

  it("is not lent to two at once", async () => {
    using first = await requestDevice();
    using second = await requestDevice();
    expect(second.gpuDevice).not.toBe(first.gpuDevice);
  });

  it.each<[string, (device: GPUDevice) => void]>([
    ["reported an error", (device) => device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE })],
    ["has an error scope open", (device) => device.pushErrorScope("validation")],
  ])("is not lent again when it %s", async (_what, spoil) => {
    const device = await requestDevice();
    spoil(device.gpuDevice);
    device.dispose();
    using next = await requestDevice();
    expect(next.gpuDevice).not.toBe(device.gpuDevice);
    expect(await full(next, [1], 1, "f32").item()).toBe(1);
  });
});

/** Of a kernel that SwiftShader has 50 ms or more to do with. */
function millisecondsToCompile(device: GPUDevice): number {
  const lines = Array.from({ length: 300 }, (_, index) => `x = x * ${index}.5 + sin(x);`);
  const code = `
    @group(0) @binding(0) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(1) fn main() { var x = y[0]; ${lines.join(" ")} y[0] = x; }`;
  const before = performance.now();
  const module = device.createShaderModule({ code });
  const entries = [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "storage" as const } }];
  const layout = device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries })] });
  device.createComputePipeline({ layout, compute: { module, entryPoint: "main" } });
  return performance.now() - before;
}
