import { expect, it } from "vitest";

it("gives tests a device, and SwiftShader unless KTO_DEVICE=gpu", async () => {
  const { create } = await import("webgpu");
  let gpu: GPU | undefined = create([]);
  const adapter = await gpu.requestAdapter();
  expect(adapter).not.toBeNull();
  if (process.env["KTO_DEVICE"] !== "gpu")
    expect(`${adapter!.info.vendor} ${adapter!.info.device} ${adapter!.info.description}`).toMatch(/swiftshader/i);
  gpu = undefined;
});
