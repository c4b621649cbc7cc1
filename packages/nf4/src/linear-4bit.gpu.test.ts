import {
  add,
  backward,
  CapabilityError,
  checkpoint,
  f16BitsToNumber,
  full,
  Linear,
  lowRankAdd,
  mul,
  numberToF16Bits,
  requestDevice,
  sum,
  type Device,
  type LinearAdapter,
  type Tensor,
} from "@kto/tensor";
import { expectSmallError, gemmTolerance, gradientFactor } from "@kto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quantizeWeights, dequantizeWeights } from "./host/quantize-weights.js";
import { linear4bit, Linear4bit, loadNf4Weight, nf4Tensors, quantizeNf4, type Nf4Weight } from "./index.js";
import { matVecBackwardKernel } from "./kernels/nf4-mat-vec-backward.wgsl.js";
import { matVecKernel } from "./kernels/nf4-mat-vec.wgsl.js";
import { decodeArguments } from "./ops/expand.js";
import { encodeWeights, randomNumbers } from "./testing/weights.js";
import { roundToWeight, type WeightDtype } from "./weight-dtype.js";

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

async function weightOf(n: number, k: number, dtype: WeightDtype = "bfloat16", doubleQuant = true): Promise<Nf4Weight> {
  const values = randomNumbers(n * k, n + k).map((v) => roundToWeight(Math.fround(v), dtype));
  return quantizeNf4(device, { shape: [n, k], dtype, doubleQuant, chunks: [encodeWeights(values, dtype)], label: "w" });
}

async function valuesOf(weight: Nf4Weight): Promise<Float32Array> {
  using full = weight.dequantize("f32");
  return (await full.read()) as Float32Array;
}

/** a [m, k] · b, b [n, k] transposed or [k, n], in float64. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, m: number, n: number, k: number, transposeB: boolean): Float64Array {
  return Float64Array.from({ length: m * n }, (_, index) => {
    const [row, col] = [Math.floor(index / n), index % n];
    let total = 0;
    for (let depth = 0; depth < k; depth++) total += a[row * k + depth]! * b[transposeB ? col * k + depth : depth * n + col]!;
    return total;
  });
}

/** The ways of computing a layer: the matrix written out, and codes read directly, in each variant. */
const ways: [way: "scratch" | "codes", variant?: string][] = [
  ["scratch"],
  ...[...new Set([...matVecKernel.variants, ...matVecBackwardKernel.variants].map(({ name }) => name))].map(
    (variant): ["codes", string] => ["codes", variant],
  ),
];

function force(way: string, variant?: string): void {
  device.recorder.variants.set("linear4bit", way);
  for (const kernel of [matVecKernel, matVecBackwardKernel])
    if (kernel.variants.some(({ name }) => name === variant)) device.recorder.variants.set(kernel.name, variant!);
}

describe.each(ways)("%s %s, against float64 on the dequantised weights", (way, variant) => {
  it.each([
    [1, 40, 96],
    [2, 33, 40],
    [3, 24, 64],
    [16, 64, 160],
    [5, 24, 35],
    [17, 70, 72],
  ])("%i rows of [%i, %i]", async (m, n, k) => {
    if (way === "codes" && k % 8 !== 0) return; // refused, as seen below
    for (const [dtype, doubleQuant] of [
      ["bfloat16", true],
      ["float16", false],
      ["float32", true],
    ] as const) {
      using weight = await weightOf(n, k, dtype, doubleQuant);
      const w = await valuesOf(weight);
      const [xs, dys, bs] = [randomNumbers(m * k, 3), randomNumbers(m * n, 4), randomNumbers(n, 5)];
      using x = device.tensor(xs, [m, k], "f32");
      using dy = device.tensor(dys, [m, n], "f32");
      using bias = device.tensor(bs, [n], "f32");
      x.requiresGrad = bias.requiresGrad = true;
      force(way, variant);
      const { y, gradients } = device.scope(() => {
        const output = linear4bit(x, weight, bias);
        return { y: output, gradients: backward(sum(mul(output, dy))) };
      });
      device.recorder.variants.clear();
      const expected = product(xs, w, m, n, k, true).map((value, index) => value + bs[index % n]!);
      expectSmallError(await y.read(), expected, { limit: gemmTolerance.f32, label: `y ${dtype}` });
      const limit = gradientFactor * gemmTolerance.f32;
      expectSmallError(await gradients.get(x)!.read(), product(dys, w, m, k, n, false), { limit, label: `dx ${dtype}` });
      const dBias = Float64Array.from({ length: n }, (_, col) => dys.filter((_, index) => index % n === col).reduce((a, b) => a + b, 0));
      expectSmallError(await gradients.get(bias)!.read(), dBias, { limit, label: `dBias ${dtype}` });
      expect(gradients.size).toBe(2);
      gradients.dispose();
      y.dispose();
    }
  });
});

it("weights are rounded to f16 as well where the operands of a product are f16", async () => {
  using weight = await quantizeNf4(device, {
    shape: [8, 64],
    dtype: "float32",
    doubleQuant: false,
    chunks: [
      encodeWeights(
        Float32Array.from(randomNumbers(512), (v, i) => v * 10 ** -Math.floor(i / 64)),
        "float32",
      ),
    ],
    label: "w",
  });
  const w = (await valuesOf(weight)).map((value) => f16BitsToNumber(numberToF16Bits(value)));
  const { bindings, params, spec } = decodeArguments(weight);
  using one = device.tensor(
    Float32Array.from({ length: 64 }, (_, i) => Number(i === 37)),
    [1, 64],
    "f32",
  );
  using y = device.empty([1, 8], "f32");
  matVecKernel.run(
    device,
    { ...bindings, x: one, bias: one, y },
    { ...params, m: 1, n: 8, k: 64 },
    { ...spec, xType: "f32", dtype: "f32", hasBias: false, halfOperand: true, rows: 1 },
  );
  expect([...(await y.read())]).toEqual(Array.from({ length: 8 }, (_, row) => w[row * 64 + 37]!));
  using dy = device.tensor([0, 0, 0, 0, 0, 1, 0, 0], [1, 8], "f32");
  using dx = full(device, [1, 64], 2, "f32");
  matVecBackwardKernel.run(
    device,
    { ...bindings, dy, dx },
    { ...params, m: 1, n: 8, k: 64 },
    { ...spec, dyType: "f32", accumulate: true, halfOperand: true, rows: 1 },
  );
  expect([...(await dx.read())]).toEqual([...w.subarray(320, 384)].map((value) => Math.fround(2 + value)));
});

it("a transposed weight", async () => {
  using stored = await weightOf(24, 40);
  const tensors = new Map(await nf4Tensors("w", stored));
  tensors.get("w")!.shape = [1, 480];
  const reader = {
    tensors: new Map([...tensors].map(([name, { dtype, shape, data }]) => [name, { dtype, shape, byteLength: data.byteLength }])),
    read: (name: string) => Promise.resolve(tensors.get(name)!),
    async *stream(name: string) {
      yield await Promise.resolve(tensors.get(name)!.data);
    },
  };
  using weight = await loadNf4Weight(reader, "w", { device, shape: [40, 24] });
  const xs = randomNumbers(2 * 24);
  using x = device.tensor(xs, [2, 24], "f32");
  using y = linear4bit(x, weight);
  expectSmallError(await y.read(), product(xs, await valuesOf(stored), 2, 40, 24, false), { limit: gemmTolerance.f32, label: "y" });

  device.recorder.variants.set("linear4bit", "codes");
  expect(() => linear4bit(x, weight)).toThrow(
    "linear4bit: the way that variants forces cannot compute this; codes: expected a weight whose codes are not those of its transpose, got w; force another, or none",
  );
  device.recorder.variants.clear();
});

it("rows of codes that end within a word are written out, and reading them cannot be forced", async () => {
  using weight = await weightOf(24, 35);
  const xs = randomNumbers(5 * 35, 3);
  using x = device.tensor(xs, [5, 35], "f32");
  using y = linear4bit(x, weight);
  expectSmallError(await y.read(), product(xs, await valuesOf(weight), 5, 24, 35, true), { limit: gemmTolerance.f32, label: "y" });
  device.recorder.variants.set("linear4bit", "codes");
  expect(() => linear4bit(x, weight)).toThrow(CapabilityError);
  device.recorder.variants.clear();
});

describe("on the tape", () => {
  it("an input of two layers gets both gradients, also through a checkpoint", async () => {
    using first = await weightOf(24, 64);
    using second = await weightOf(24, 64, "float32", false);
    for (const m of [3, 20]) {
      const both = (x: Tensor): Tensor => add(linear4bit(x, first), linear4bit(x, second));
      using x = device.tensor(randomNumbers(m * 64), [m, 64], "f32");
      x.requiresGrad = true;
      using gradients = device.scope(() => backward(sum(both(x))));
      using again = device.scope(() => backward(sum(checkpoint(both, x))));
      const ones = new Float64Array(m * 24).fill(1);
      const expected = product(ones, await valuesOf(first), m, 64, 24, false);
      product(ones, await valuesOf(second), m, 64, 24, false).forEach((value, index) => (expected[index]! += value));
      expectSmallError(await gradients.get(x)!.read(), expected, { limit: 4e-10, label: "dx" });
      expect(await again.get(x)!.read()).toEqual(await gradients.get(x)!.read());
    }
  });

  it("keeps nothing but the weight between forward and backward", async () => {
    using weight = await weightOf(48, 64);
    using x = device.zeros([32, 64], "f32");
    x.requiresGrad = true;
    const before = device.memory.info();
    device.scope(() => {
      linear4bit(x, weight);
      expect(device.memory.info().liveStorages).toBe(before.liveStorages + 1); // y
    });
    expect(device.memory.info().liveStorages).toBe(before.liveStorages);
  });

  it("no rows give no rows", async () => {
    using weight = await weightOf(8, 64);
    using x = device.tensor([], [0, 64], "f32");
    x.requiresGrad = true;
    using y = linear4bit(x, weight);
    expect(y.shape).toEqual([0, 8]);
  });
});

describe("Linear4bit", () => {
  /** What a LoRA layer does with the accumulator. */
  const adapterOf = (a: Tensor, b: Tensor): LinearAdapter => ({
    isActive: true,
    apply: (base, x, { dtype }) => lowRankAdd(base, x, a, b, { scale: 2, dtype }),
  });

  it.each([4, 20])("with an adapter, %i rows: values and gradients as Linear's with the dequantised weight", async (m) => {
    const [n, k, r] = [40, 64, 4];
    using weight = await weightOf(n, k);
    using full = weight.dequantize("f32");
    using bias = device.tensor(randomNumbers(n, 9), [n], "f32");
    using a = device.tensor(randomNumbers(r * k, 10), [r, k], "f32");
    using b = device.tensor(randomNumbers(n * r, 11), [n, r], "f32");
    using x = device.tensor(randomNumbers(m * k, 12), [m, k], "f32");
    const leaves = [a, b, x];
    for (const leaf of leaves) leaf.requiresGrad = true;
    const results: ArrayLike<number>[][] = [];
    for (const layer of [new Linear4bit(weight, bias), new Linear(full, bias)]) {
      expect([layer.inFeatures, layer.outFeatures]).toEqual([k, n]);
      layer.adapter = adapterOf(a, b);
      const { y, gradients } = device.scope(() => {
        const output = layer.forward(x, { dtype: "f32" });
        return { y: output, gradients: backward(sum(mul(output, output))) };
      });
      results.push([await y.read(), ...(await Promise.all(leaves.map((leaf) => gradients.get(leaf)!.read())))]);
      y.dispose();
      gradients.dispose();
    }
    results[0]!.forEach((values, index) => {
      if (m > 16) expect(values, `result ${index}`).toEqual(results[1]![index]);
      else expectSmallError(values, results[1]![index]!, { limit: gradientFactor * gemmTolerance.f32, label: `result ${index}` });
    });
  });

  it.each([
    ["bfloat16", true],
    ["float32", false],
  ] as const)("addToWeight in %s: dequantised, added, rounded and quantised again", async (dtype, doubleQuant) => {
    const [n, k, r] = [24, 40, 2];
    using weight = await weightOf(n, k, dtype, doubleQuant);
    const before = await valuesOf(weight);
    // Products of few bits, so that the sum has one rounding in any order.
    const [as, bs] = [randomNumbers(r * k, 1).map((v) => Math.round(v * 8)), randomNumbers(n * r, 2).map((v) => Math.round(v * 8))];
    using a = device.tensor(as, [r, k], "f32");
    using b = device.tensor(bs, [n, r], "f32");
    const sums = product(bs, as, n, k, r, false).map((value, i) => Math.fround(before[i]! + 0.125 * value));
    const live = device.memory.info().liveStorages;
    await new Linear4bit(weight).addToWeight({ a, b, scale: 0.125 });
    expect(device.memory.info().liveStorages).toBe(live);
    expect([weight.state.dtype, weight.state.nested !== undefined, weight.shape]).toEqual([dtype, doubleQuant, [n, k]]);
    const expected = quantizeWeights(Float32Array.from(sums, (value) => roundToWeight(value, dtype)));
    expect(new Map(await nf4Tensors("w", weight)).get("w")!.data).toEqual(expected.packed);
    if (!doubleQuant) expect(await valuesOf(weight)).toEqual(dequantizeWeights(expected, { size: n * k, dtype }));
  });

  it("addToWeight of what is not finite changes nothing", async () => {
    using weight = await weightOf(8, 64);
    const before = await nf4Tensors("w", weight);
    using a = full(device, [1, 64], 1e38, "f32");
    using b = full(device, [8, 1], 1e38, "f32");
    await expect(new Linear4bit(weight).addToWeight({ a, b, scale: 1 })).rejects.toThrow(
      "quantize: w: element 0 of [8, 64] is NaN or infinite",
    );
    expect(await nf4Tensors("w", weight)).toEqual(before);
  });
});

it("names sizes and dtypes that do not fit", async () => {
  using weight = await weightOf(8, 64);
  using narrow = device.zeros([2, 63], "f32");
  using ids = device.zeros([2, 64], "u32");
  using x = device.zeros([2, 64], "f32");
  using bias = device.zeros([9], "f32");
  expect(() => linear4bit(narrow, weight)).toThrow(
    "linear4bit: inner dimensions differ; expected x [T, in] and weight [out, in], got x [2, 63] with weight [8, 64] (w)",
  );
  expect(() => linear4bit(ids, weight)).toThrow("linear4bit: x has the wrong dtype; expected f32 or f16, got u32");
  expect(() => linear4bit(x, weight, bias)).toThrow("linear4bit: bias has the wrong shape; expected [8], got [9]");
});
