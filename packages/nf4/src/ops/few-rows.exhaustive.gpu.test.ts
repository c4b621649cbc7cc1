import { requestDevice, type Device } from "@kto/tensor";
import { gemmTolerance } from "@kto/testing";
import { afterAll, beforeAll, it } from "vitest";
import { check, layersOf } from "../testing/layers-together.js";
import { randomNumbers } from "../testing/weights.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

it.each([
  [5, 128, [32, 16], true, { hasNorm: false, swiGlu: false }],
  [32, 192, [32, 32], true, { hasNorm: false, swiGlu: true }],
] as const)("%i rows × %i → %j on matrix units, scales in codes: %s, %j", async (m, k, sizes, doubleQuant, options) => {
  const layers = await layersOf(device, k, [...sizes], "bfloat16", doubleQuant);
  using given = device.tensor(randomNumbers(m * k, 9), [m, k], "f16");
  using x = device.empty([m, k], "f16", "x", Math.ceil(m / 16) * 16);
  device.copyInto(x, given);
  if (!device.capabilities.shaderF16) device.recorder.variants.set("nf4FewRowsMatrix", "emulated");
  try {
    await check(layers, x, { ...options, tolerance: gemmTolerance.f16ToF32 });
  } finally {
    device.recorder.variants.delete("nf4FewRowsMatrix");
  }
  layers.dispose();
});
