import { readFileSync } from "node:fs";
import { requestDevice } from "@kto/tensor";
import { expect, it } from "vitest";

const ownGpu = process.env["KTO_DEVICE"] === "gpu";

it("gives tests a device: SwiftShader, or the machine's own with KTO_DEVICE=gpu", async () => {
  const device = await requestDevice();
  const { software, description } = device.capabilities;
  device.dispose();
  expect({ software, swiftShader: /swiftshader/i.test(description) }).toEqual({ software: !ownGpu, swiftShader: !ownGpu });
  expect(/software-gpu[^/]*\/\w+\/libvulkan\.so\.1$/m.test(readFileSync("/proc/self/maps", "utf8"))).toBe(!ownGpu);
});
