import { TensorSlabs, type Device, type FewRowsInput, type Tensor } from "@kto/tensor";
import { expectSmallError, gemmTolerance } from "@kto/testing";
import { Linear4bit, nf4ByteLengths, quantizeNf4, type Nf4Weight } from "../index.js";
import { fewRowsLinear4bit } from "../ops/few-rows-linear-4bit.js";
import { roundToWeight, type WeightDtype } from "../weight-dtype.js";
import { encodeWeights, randomNumbers } from "./weights.js";

/** Layers of one input. */
export interface Layers {
  modules: Linear4bit[];
  /** What the weights stand for, [n, k] each. */
  matrices: Float32Array[];
  dispose(): void;
}

/** Layers of one input whose weights lie in one buffer, as a model loads them. */
export async function layersOf(device: Device, k: number, sizes: number[], dtype: WeightDtype, doubleQuant: boolean): Promise<Layers> {
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

/** What they make of x in one launch is what float64 makes of it. */
export async function check(
  { modules, matrices }: Layers,
  x: Tensor,
  { hasNorm, swiGlu, tolerance }: { hasNorm: boolean; swiGlu: boolean; tolerance: number },
): Promise<void> {
  const { device } = x;
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

/** The same for rows of f16 on matrix units, emulated where the device has none. */
export async function checkOnMatrices(
  device: Device,
  [m, k, sizes, doubleQuant, options]: readonly [number, number, readonly number[], boolean, { hasNorm: boolean; swiGlu: boolean }],
): Promise<void> {
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
}
