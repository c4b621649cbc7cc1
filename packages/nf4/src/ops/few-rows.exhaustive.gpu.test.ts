import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, it } from "vitest";
import { checkOnMatrices } from "../testing/layers-together.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

it.each([
  [5, 128, [32, 16], true, { hasNorm: false, swiGlu: false }],
  [32, 192, [32, 32], true, { hasNorm: false, swiGlu: true }],
] as const)("%i rows × %i → %j on matrix units, scales in codes: %s, %j", (...layers) => checkOnMatrices(device, layers));
