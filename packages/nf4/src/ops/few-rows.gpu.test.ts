import { Linear, requestDevice, type Device, type Tensor } from "@kto/tensor";
import { gemmTolerance } from "@kto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Linear4bit } from "../index.js";
import { codesTogether, expandTogether } from "./codes-together.js";
import { fewRowsLinear4bit } from "./few-rows-linear-4bit.js";
import { check, checkOnMatrices, layersOf } from "../testing/layers-together.js";
import { randomNumbers } from "../testing/weights.js";
import type { WeightDtype } from "../weight-dtype.js";

let device: Device;
let liveAtStart: number;
beforeAll(async () => {
  device = await requestDevice();
  liveAtStart = device.memory.info().liveStorages;
});
afterAll(() => {
  expect(device.memory.info().liveStorages).toBe(liveAtStart);
  device.dispose();
});

const cases: [
  m: number,
  k: number,
  sizes: number[],
  dtype: WeightDtype,
  doubleQuant: boolean,
  options: { hasNorm: boolean; swiGlu: boolean },
][] = [
  [1, 64, [4], "bfloat16", true, { hasNorm: false, swiGlu: false }],
  [2, 128, [32, 16, 16], "bfloat16", true, { hasNorm: true, swiGlu: false }],
  [5, 2048, [64], "float32", false, { hasNorm: false, swiGlu: false }],
  [3, 192, [64, 64], "bfloat16", false, { hasNorm: true, swiGlu: true }],
];

describe("layers of four bits in one launch", () => {
  it.each(cases)("%i rows × %i → %j, %s, scales in codes: %s, %j", async (m, k, sizes, dtype, doubleQuant, options) => {
    const layers = await layersOf(device, k, sizes, dtype, doubleQuant);
    using x = device.tensor(randomNumbers(m * k, 7), [m, k], "f32");
    await check(layers, x, { ...options, tolerance: gemmTolerance.f32 });
    layers.dispose();
  });

  it.each([[17, 640, [16], false, { hasNorm: false, swiGlu: false }]] as const)(
    "%i rows × %i → %j on matrix units, scales in codes: %s, %j",
    (...layers) => checkOnMatrices(device, layers),
  );

  it.each([
    [33, 64, [8, 16, 4], true, { hasNorm: false, swiGlu: false }],
    [40, 128, [32, 32], false, { hasNorm: true, swiGlu: true }],
    [129, 4160, [16], true, { hasNorm: false, swiGlu: false }],
  ] as const)("%i rows × %i → %j, written out, scales in codes: %s, %j", async (m, k, sizes, doubleQuant, options) => {
    const layers = await layersOf(device, k, [...sizes], "bfloat16", doubleQuant);
    using x = device.tensor(randomNumbers(m * k, 9), [m, k], "f16");
    using single = device.tensor(new Float32Array(m * k), [m, k], "f32");
    const input = { x: single, norm: { weight: single, eps: 1e-6 }, dtype: "f32" } as const;
    const weights = layers.modules.map(({ weight }) => ({ weight }));
    expect(device.scope(() => fewRowsLinear4bit(weights, input))).toBeUndefined(); // which may not be f16
    if (device.capabilities.shaderF16) await check(layers, x, { ...options, tolerance: gemmTolerance.f16ToF32 });
    layers.dispose();
  });

  it.each([
    [64, [8, 16, 4], "bfloat16", true],
    [192, [32, 32], "float16", false],
    [72, [4, 4, 8], "float32", true],
  ] as const)(
    "matrices of %i columns are written out one after another: %j, %s, scales in codes: %s",
    async (k, sizes, dtype, doubleQuant) => {
      const { modules, dispose } = await layersOf(device, k, [...sizes], dtype, doubleQuant);
      const bytesOf = async (make: () => Tensor): Promise<number[]> => {
        using tensor = device.unscoped(() => device.scope(make));
        return [...(await device.readBytes(tensor))];
      };
      const weights = modules.map(({ weight }) => weight);
      const parts = weights.map(({ shape: [outFeatures, inFeatures] }) => ({ outFeatures, inFeatures }));
      const each = [];
      for (const weight of weights) each.push(...(await bytesOf(() => weight.dequantize("f16"))));
      expect(await bytesOf(() => expandTogether(codesTogether(weights)!, parts))).toEqual(each);
      dispose();
    },
  );

  it("is what layers do where a device gains by it", async () => {
    const { modules, dispose } = await layersOf(device, 64, [16, 16], "bfloat16", true);
    using x = device.tensor(randomNumbers(64), [1, 64], "f32");
    const together = (): unknown => device.scope(() => modules[0]!.together([modules[1]!], { x, dtype: "f32" }) !== undefined);
    expect(together()).toBe(!device.capabilities.software);
    device.recorder.variants.set("nf4FewRows", device.capabilities.software ? "serial" : "plain");
    expect(together()).toBe(true);
    device.recorder.variants.delete("nf4FewRows");
    dispose();
  });

  it("is left to each layer where weights lie apart, were quantised in other ways, or are of another kind", async () => {
    const layers = await layersOf(device, 64, [16, 16], "bfloat16", true);
    const others = await layersOf(device, 64, [16], "bfloat16", true);
    const [first, second] = layers.modules;
    using x = device.tensor(randomNumbers(64), [1, 64], "f32");
    using plain = device.tensor(randomNumbers(16 * 64), [16, 64], "f32");
    const together = (modules: (Linear | Linear4bit)[]): unknown =>
      device.scope(() => first!.together(modules, { x, dtype: "f32" }) === undefined);
    device.recorder.variants.set("nf4FewRows", device.capabilities.software ? "serial" : "plain");
    expect(together([second!])).toBe(false);
    expect(together(others.modules)).toBe(true);
    expect(together([new Linear(plain)])).toBe(true);
    device.recorder.variants.delete("nf4FewRows");
    layers.dispose();
    others.dispose();
  });
});
