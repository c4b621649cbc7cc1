import {
  add,
  backward,
  causalAttention,
  gemm,
  pipelines,
  rmsNorm,
  segmentBounds,
  sum,
  swiGlu,
  cast,
  type FloatDtype,
  type Gemm,
  type Tensor,
} from "@kto/tensor";
import type { BenchCase, BenchContext, Measurement } from "../measurement.js";
import { gigabytesOf, randomTensor, tflopsOf } from "../numbers.js";
import { medianMs } from "../timing.js";

/** Products, attention and elementwise kernels at the sizes of a model's layers. */
export const kernelsCase: BenchCase = {
  name: "kernels",
  about: "products, attention and elementwise kernels at the sizes of a model's layers",
  needs: { device: true },
  async *run(context) {
    const copied = await context.copySpeed();
    yield { name: `copy of ${copyBytes / 2 ** 20} MiB`, milliseconds: (2000 * copyBytes) / copied, gigabytesPerSecond: copied / 1e9 };
    for (const tokens of context.size.tokens) {
      yield* products(context, tokens);
      yield* attention(context, tokens);
      yield* elementwise(context, tokens);
    }
  },
};

/** What is copied to find out how fast the device does that. */
export const copyBytes: number = 2 ** 26;

/** Bytes a second that the device reads and writes when it copies a vector of numbers. */
export async function copySpeed(context: Omit<BenchContext, "copySpeed" | "model">): Promise<number> {
  const { device } = context;
  const bytes = device.capabilities.software ? copyBytes / 16 : copyBytes;
  using x = randomTensor(device, [bytes / 4], "f32");
  const milliseconds = await medianMs(() => void add(x, x, { dtype: "f32" }), context); // reads one vector, writes one
  return (2 * bytes) / (milliseconds / 1000);
}

const operandType = (context: BenchContext): FloatDtype => (context.device.capabilities.shaderF16 ? "f16" : "f32");

/** x · Wᵀ forward and dy · W back, for each matrix of a layer. */
async function* products(context: BenchContext, tokens: number): AsyncGenerator<Measurement> {
  const { device, size } = context;
  const { hiddenSize, intermediateSize, numKeyValueHeads, headDim } = size.config;
  const dtype = operandType(context);
  const matrices: readonly (readonly [out: number, inner: number])[] = [
    [hiddenSize, hiddenSize],
    [numKeyValueHeads * headDim, hiddenSize],
    [intermediateSize, hiddenSize],
    [hiddenSize, intermediateSize],
  ];
  for (const [out, inner] of matrices) {
    using x = randomTensor(device, [tokens, inner], dtype);
    using dy = randomTensor(device, [tokens, out], dtype);
    using w = randomTensor(device, [out, inner], dtype);
    using y = device.empty([tokens, out], dtype);
    using dx = device.empty([tokens, inner], "f32");
    const forward: Gemm = { a: x, b: w, c: y, m: tokens, n: out, k: inner, transposeB: true };
    const eights: Gemm = { ...forward, transposeB: false, inEights: true };
    const inEights = out % 8 === 0 && inner % 8 === 0 && pipelines(eights);
    const back: Gemm = { a: dy, b: w, c: dx, m: tokens, n: inner, k: out };
    for (const [name, product] of [
      ["x·Wᵀ", inEights ? eights : forward],
      ["dy·W", back],
    ] as const) {
      const milliseconds = await medianMs(() => gemm(product), context);
      yield { name: `${name} ${tokens} × ${out} × ${inner}`, milliseconds, tflops: tflopsOf(2 * tokens * out * inner, milliseconds) };
    }
  }
}

/** Rows of 512 tokens. */
async function* attention(context: BenchContext, tokens: number): AsyncGenerator<Measurement> {
  const { device, size } = context;
  const { numAttentionHeads: numHeads, numKeyValueHeads, headDim } = size.config;
  const heads = { numHeads, numKeyValueHeads, headDim };
  const rowTokens = Math.min(512, tokens);
  const lengths = Array.from({ length: tokens / rowTokens }, () => rowTokens);
  const dtype = operandType(context);
  using q = randomTensor(device, [tokens, numHeads * headDim], dtype);
  using k = randomTensor(device, [tokens, numKeyValueHeads * headDim], dtype);
  using v = randomTensor(device, [tokens, numKeyValueHeads * headDim], dtype);
  const bounds = segmentBounds(device, lengths);
  const { starts, ends } = bounds;
  const operations = 4 * numHeads * headDim * lengths.length * (rowTokens * (rowTokens + 1)) * 0.5;
  const name = `attention ${lengths.length} × ${rowTokens}`;
  const forward = await medianMs(() => void device.noGrad(() => causalAttention(q, k, v, { ...heads, ...bounds })), context);
  yield { name: `${name} forward`, milliseconds: forward, tflops: tflopsOf(operations, forward) };
  for (const input of [q, k, v]) input.requiresGrad = true;
  const both = await medianMs(() => backward(sum(cast(causalAttention(q, k, v, { ...heads, ...bounds }), "f32"))).dispose(), context);
  for (const bound of [starts, ends]) bound.dispose();
  yield { name: `${name} forward and back`, milliseconds: both, tflops: tflopsOf(3.5 * operations, both) };
}

/** What is bound by memory. */
async function* elementwise(context: BenchContext, tokens: number): AsyncGenerator<Measurement> {
  const { device, size } = context;
  const { hiddenSize, intermediateSize } = size.config;
  const copied = await context.copySpeed();
  const dtype = operandType(context);
  const bytesOf = (count: number, type: FloatDtype): number => count * (type === "f16" ? 2 : 4);
  using hidden = randomTensor(device, [tokens, hiddenSize], "f32");
  using weight = randomTensor(device, [hiddenSize], "f32");
  using gate = randomTensor(device, [tokens, intermediateSize], dtype);
  using up = randomTensor(device, [tokens, intermediateSize], dtype);
  const numHidden = tokens * hiddenSize;
  const kernels: readonly (readonly [name: string, bytes: number, record: () => Tensor])[] = [
    [
      `rmsNorm ${tokens} × ${hiddenSize}`,
      bytesOf(numHidden, "f32") + bytesOf(numHidden, dtype),
      () => rmsNorm(hidden, weight, { eps: 1e-6, dtype }),
    ],
    [`swiGlu ${tokens} × ${intermediateSize}`, 3 * bytesOf(gate.size, dtype), () => swiGlu(gate, up)],
    [`add ${tokens} × ${hiddenSize}`, 2 * bytesOf(numHidden, "f32"), () => add(hidden, hidden)],
  ];
  for (const [name, bytes, record] of kernels) {
    const milliseconds = await medianMs(() => void device.noGrad(record), context);
    const speed = gigabytesOf(bytes, milliseconds);
    yield { name, milliseconds, gigabytesPerSecond: speed, shareOfCopy: (1e9 * speed) / copied };
  }
}
