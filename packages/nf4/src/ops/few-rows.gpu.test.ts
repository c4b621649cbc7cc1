import { Linear, requestDevice, TensorSlabs, type Device, type FewRowsInput, type Tensor } from "@kto/tensor";
import { expectSmallError, gemmTolerance } from "@kto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Linear4bit, nf4ByteLengths, quantizeNf4, type Nf4Weight } from "../index.js";
import { codesTogether, expandTogether } from "./codes-together.js";
import { fewRowsLinear4bit } from "./few-rows-linear-4bit.js";
import { encodeWeights, randomNumbers } from "../testing/weights.js";
import { roundToWeight, type WeightDtype } from "../weight-dtype.js";

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

interface Layers {
  modules: Linear4bit[];
  /** What the weights stand for, [n, k] each. */
  matrices: Float32Array[];
  dispose(): void;
}

/** Layers of one input whose weights lie in one buffer, as a model loads them. */
async function layersOf(k: number, sizes: number[], dtype: WeightDtype, doubleQuant: boolean): Promise<Layers> {
  const slabs = new TensorSlabs(device, 0);
  const region = slabs.region(sizes.flatMap((n) => nf4ByteLengths(n * k, { doubleQuant })));
  const weights: Nf4Weight[] = [];
  for (const [index, n] of sizes.entries()) {
    const values = randomNumbers(n * k, n + k + index).map((value) => roundToWeight(Math.fround(value), dtype));
    const chunks = [encodeWeights(values, dtype)];
    weights.push(await quantizeNf4(device, { shape: [n, k], dtype, doubleQuant, chunks, label: `w${index}`, slabs: region }));
  }
  region.dispose();
  slabs.dispose();
  const matrices: Float32Array[] = [];
  for (const weight of weights) {
    using whole = weight.dequantize("f32");
    matrices.push((await whole.read()) as Float32Array);
  }
  return {
    modules: weights.map((weight) => new Linear4bit(weight)),
    matrices,
    dispose: () => weights.forEach((weight) => weight.dispose()),
  };
}

/** x · Wᵀ of each matrix side by side, x normalised first if asked to, or gate and up joined; float64. */
function expectedOf(
  x: ArrayLike<number>,
  m: number,
  k: number,
  matrices: Float32Array[],
  { hasNorm, swiGlu }: { hasNorm: boolean; swiGlu: boolean },
): number[] {
  return Array.from({ length: m }, (_, row) => {
    const values = Array.from({ length: k }, (__, i) => x[row * k + i]!);
    const scale = hasNorm ? 1 / Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / k + 1e-6) : 1;
    const results = matrices.map((matrix) =>
      Array.from({ length: matrix.length / k }, (__, col) =>
        values.reduce((sum, value, i) => sum + scale * value * matrix[col * k + i]!, 0),
      ),
    );
    const [gate, up] = results;
    return swiGlu ? gate!.map((value, i) => (value / (1 + Math.exp(-value))) * up![i]!) : results.flat();
  }).flat();
}

async function check(
  { modules, matrices }: Layers,
  x: Tensor,
  { hasNorm, swiGlu, tolerance }: { hasNorm: boolean; swiGlu: boolean; tolerance: number },
): Promise<void> {
  const [m, k] = x.shape as [number, number];
  using ones = device.tensor(new Float32Array(k).fill(1), [k], "f32");
  const input: FewRowsInput = {
    x,
    operand: x.dtype === "f16" ? "f16" : "f32",
    dtype: "f32",
    swiGlu,
    ...(hasNorm && { norm: { weight: ones, eps: 1e-6 } }),
  };
  using y = device.unscoped(() =>
    device.scope(() =>
      fewRowsLinear4bit(
        modules.map(({ weight }) => ({ weight })),
        input,
      ),
    ),
  )!;
  expectSmallError(await y.read(), expectedOf(await x.read(), m, k, matrices, { hasNorm, swiGlu }), {
    limit: tolerance,
    label: "y",
  });
}

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
    const layers = await layersOf(k, sizes, dtype, doubleQuant);
    using x = device.tensor(randomNumbers(m * k, 7), [m, k], "f32");
    await check(layers, x, { ...options, tolerance: gemmTolerance.f32 });
    layers.dispose();
  });

  it.each([
    [5, 128, [32, 16], true, { hasNorm: false, swiGlu: false }],
    [32, 192, [32, 32], true, { hasNorm: false, swiGlu: true }],
    [17, 640, [16], false, { hasNorm: false, swiGlu: false }],
  ] as const)("%i rows × %i → %j on matrix units, scales in codes: %s, %j", async (m, k, sizes, doubleQuant, options) => {
    const layers = await layersOf(k, [...sizes], "bfloat16", doubleQuant);
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

  it.each([
    [33, 64, [8, 16, 4], true, { hasNorm: false, swiGlu: false }],
    [40, 128, [32, 32], false, { hasNorm: true, swiGlu: true }],
    [129, 4160, [16], true, { hasNorm: false, swiGlu: false }],
  ] as const)("%i rows × %i → %j, written out, scales in codes: %s, %j", async (m, k, sizes, doubleQuant, options) => {
    const layers = await layersOf(k, [...sizes], "bfloat16", doubleQuant);
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
      const { modules, dispose } = await layersOf(k, [...sizes], dtype, doubleQuant);
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
    const { modules, dispose } = await layersOf(64, [16, 16], "bfloat16", true);
    using x = device.tensor(randomNumbers(64), [1, 64], "f32");
    const together = (): unknown => device.scope(() => modules[0]!.together([modules[1]!], { x, dtype: "f32" }) !== undefined);
    expect(together()).toBe(!device.capabilities.software);
    device.recorder.variants.set("nf4FewRows", device.capabilities.software ? "serial" : "plain");
    expect(together()).toBe(true);
    device.recorder.variants.delete("nf4FewRows");
    dispose();
  });

  it("is left to each layer where weights lie apart, were quantised in other ways, or are of another kind", async () => {
    const layers = await layersOf(64, [16, 16], "bfloat16", true);
    const others = await layersOf(64, [16], "bfloat16", true);
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
