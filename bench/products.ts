/**
 * The products of a training step on this machine's matrix units: GPU time of each kernel by timestamps, at the layers of the 1.5B and the 7B shape.
 *
 *   npm run bench -- products [main] [skinny] [7b]      (main and skinny by default)
 *
 * `main`: the tiles of `matmul`, and pipelined products with b in every order, with and without a product of rank 16 inside. `skinny`: an adapter's own products.
 */
import { medianMs, randomTensor } from "@kto/bench";
import {
  emptyPeaks,
  gemm,
  isSkinny,
  requestDevice,
  skinnyProduct,
  type Device,
  type Gemm,
  type Peaks,
  type SkinnyProduct,
} from "@kto/tensor";

/** Median GPU time of what `record` records, in microseconds, after 350 ms of it. */
async function micros(device: Device, record: () => void): Promise<number> {
  return 1000 * (await medianMs(record, { device, warmUpMs: 350, signal: undefined }));
}

async function main(device: Device, [m, n, k]: readonly [number, number, number]): Promise<void> {
  const a = randomTensor(device, [m, k], "f16");
  const b = randomTensor(device, [n, k], "f16");
  const h = randomTensor(device, [m, 16], "f32");
  const factor = randomTensor(device, [n, 16], "f32");
  const half = device.empty([m, n], "f16");
  const single = device.empty([m, n], "f32");
  const peaks = randomTensor(device, [1, 32], "f32");
  const lowRank = { h, peaks: { tensor: peaks, first: 0, count: peaks.size }, factor, scale: 0.5 };
  const product: Omit<Gemm, "c"> = { a, b, m, n, k };
  const cases: [string, Gemm, string?][] = [
    ["matmul, rows", { ...product, c: half, transposeB: true }, "subgroupMatrix"],
    ["rows", { ...product, c: half, transposeB: true }],
    ["eights", { ...product, c: half, inEights: true }],
    ["eights + r", { ...product, c: half, inEights: true, lowRank }],
    ["columns", { ...product, c: half }],
    ["columns f32", { ...product, c: single }],
    ["columns f32 + r", { ...product, c: single, lowRank }],
  ];
  const results: string[] = [];
  for (const [name, each, forced] of cases) {
    if (forced) device.recorder.variants.set("matmul", forced);
    const time = await micros(device, () => gemm(each));
    device.recorder.variants.delete("matmul");
    results.push(`${name} ${time.toFixed(1)} (${((2 * m * n * k) / time / 1e6).toFixed(0)})`);
  }
  console.log(`${m} × ${n} × ${k}, µs (TFLOP/s): ${results.join(", ")}`);
  for (const each of [a, b, h, factor, peaks, half, single]) each.dispose();
}

async function skinny(device: Device, [tokens, features]: readonly [number, number], rank: number): Promise<void> {
  const wide = randomTensor(device, [tokens, features], "f16");
  const factor = randomTensor(device, [features, rank], "f32");
  const rows = randomTensor(device, [rank, features], "f32");
  const h = randomTensor(device, [tokens, rank], "f32");
  const [peaks] = device.unscoped(() => emptyPeaks(device, 1, { m: tokens, n: rank })) as [Peaks];
  const tall = device.empty([tokens, rank], "f32");
  const gradient = device.empty([features, rank], "f32");
  const cases: [string, SkinnyProduct][] = [
    ["h = x·Aᵀ", { a: wide, b: rows, m: tokens, n: rank, k: features, transposeB: true, to: [{ c: tall, peaks }] }],
    ["dh = dy·B", { a: wide, b: factor, m: tokens, n: rank, k: features, to: [{ c: tall, peaks }] }],
    ["dB = dyᵀ·h", { a: wide, b: h, m: features, n: rank, k: tokens, transposeA: true, peaks, to: [{ c: gradient }] }],
    ["dA = dhᵀ·x", { a: wide, b: h, m: features, n: rank, k: tokens, transposeA: true, peaks, to: [{ c: rows, transposed: true }] }],
  ];
  const results: string[] = [];
  for (const [name, product] of cases) {
    const time = await micros(device, () => skinnyProduct(product));
    results.push(`${name} ${time.toFixed(1)} (${(wide.byteLength / time / 1e3).toFixed(0)})`);
  }
  console.log(`${tokens} × ${features}, rank ${rank}, µs (GB/s of the wide matrix): ${results.join(", ")}`);
  for (const each of [wide, factor, rows, h, peaks.tensor, tall, gradient]) each.dispose();
}

const chosen = new Set(process.argv.slice(2));
const wants = (section: string): boolean => chosen.has(section) || (section !== "7b" && !chosen.has("main") && !chosen.has("skinny"));
const device = await requestDevice();
console.log(device.capabilities.description);
if (!isSkinny(device, { m: 8, n: 8, k: 8 })) {
  console.error("bench products: expected matrix units, got none");
  process.exit(2);
}
if (wants("main")) {
  for (const tokens of [2048, 4096]) {
    const layers = [
      [tokens, 1536, 1536],
      [tokens, 2048, 1536],
      [tokens, 8960, 1536],
      [tokens, 1536, 8960],
    ] as const;
    const larger = [
      [tokens, 3584, 3584],
      [tokens, 18_944, 3584],
      [tokens, 3584, 18_944],
    ] as const;
    for (const shape of [...layers, ...(chosen.has("7b") ? larger : [])]) await main(device, shape);
  }
}
if (wants("skinny")) {
  for (const tokens of [2048, 4096])
    for (const features of [256, 1536, 8960, ...(chosen.has("7b") ? [3584, 18_944] : [])]) await skinny(device, [tokens, features], 16);
  for (const rank of [32, 48]) await skinny(device, [2048, 1536], rank);
}
device.dispose();
