import { afterAll, beforeAll, expect, it } from "vitest";
import type { Device } from "../device/device.js";
import { requestDevice } from "../device/request-device.js";
import { f16BitsToNumber, numberToF16Bits } from "../dtype.js";
import { full } from "../ops/full.js";
import { skinnyProduct } from "../ops/skinny-product.js";
import { hasSubgroupMatrix } from "./lib/subgroup-matrix.js";

let device: Device;

beforeAll(async () => {
  device = await requestDevice();
  if (!hasSubgroupMatrix(device.capabilities)) device.recorder.variants.set("skinnyMatmul", "emulated");
});

afterAll(() => {
  device?.recorder.variants.delete("skinnyMatmul");
  device?.dispose();
});

let seed = 11;

function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 31 - 1;
}

interface Case {
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  transposeC?: boolean;
  accumulate?: boolean;
  /** Size of b's values; other than weights they come with their peaks. */
  size?: number;
}

/** Of the device's product and one in float64 the largest difference, over the largest value. */
async function errorOf({
  m,
  n,
  k,
  transposeA = false,
  transposeB = false,
  transposeC = false,
  accumulate = false,
  size = 0.02,
}: Case): Promise<number> {
  const a = Uint16Array.from({ length: m * k }, () => numberToF16Bits(random()));
  const b = Float32Array.from({ length: n * k }, () => size * random());
  const before = accumulate ? 0.25 * size : 0;
  const c = device.scope("skinny", () => {
    const result = full(device, transposeC ? [n, m] : [m, n], before, "f32");
    const peaks = size === 0.02 ? undefined : device.tensor([size / 2, ...Array.from({ length: 300 }, () => 0), size], [302], "f32");
    skinnyProduct({
      a: device.fromBytes(new Uint8Array(a.buffer), [a.length / 2], "f32"),
      b: device.tensor(b, [b.length], "f32"),
      c: result,
      m,
      n,
      k,
      transposeA,
      transposeB,
      transposeC,
      accumulate,
      alpha: 0.5,
      peaks,
    });
    return result;
  });
  const values = await c.read();
  c.dispose();
  let [error, largest] = [0, 0];
  for (let row = 0; row < m; row++) {
    for (let col = 0; col < n; col++) {
      let sum = 0;
      for (let depth = 0; depth < k; depth++)
        sum += f16BitsToNumber(a[transposeA ? depth * m + row : row * k + depth]!) * b[transposeB ? col * k + depth : depth * n + col]!;
      const expected = 0.5 * sum + before;
      const value = values[transposeC ? col * m + row : row * n + col]!;
      if (Number.isNaN(value)) return Number.NaN;
      error = Math.max(error, Math.abs(value - expected));
      largest = Math.max(largest, Math.abs(expected));
    }
  }
  return error / largest;
}

it.each([
  ["x · Aᵀ", { transposeB: true }],
  ["dy · B", {}],
  ["dyᵀ · h", { transposeA: true }],
  ["xᵀ · dh, transposed and added", { transposeA: true, transposeC: true, accumulate: true }],
])("%s is as exact as f32", async (_name, transposes) => {
  for (const [m, n, k] of [
    [40, 16, 200],
    [8, 8, 8],
    [72, 24, 1000],
    ...(device.capabilities.software ? [] : ([[96, 64, 136]] as const)), // takes half a minute to compile there
  ] as const)
    expect(await errorOf({ m, n, k, ...transposes }), `${m} × ${n} × ${k}`).toBeLessThan(4e-6);
});

it("a depth that fills no tile, and one token", async () => {
  expect(await errorOf({ m: 40, n: 16, k: 37, transposeA: true })).toBeLessThan(4e-6);
  expect(await errorOf({ m: 40, n: 16, k: 1, transposeA: true })).toBeLessThan(4e-6);
  expect(await errorOf({ m: 1, n: 16, k: 40, transposeB: true })).toBeLessThan(4e-6);
});

it.each([1e-30, 1e-8, 1e6, 1e25])("values of the size %f lose nothing by f16's range", async (size) => {
  expect(await errorOf({ m: 40, n: 16, k: 100, transposeA: true, size })).toBeLessThan(4e-6);
});

it("peaks are the largest values of what was written", async () => {
  const b = Float32Array.from({ length: 16 * 8 }, () => random());
  const { c, peaks } = device.scope("peaks", () => {
    const result = device.empty([200, 16], "f32");
    const ones = Uint16Array.from({ length: 200 * 8 }, () => numberToF16Bits(1));
    const found = skinnyProduct({
      a: device.fromBytes(new Uint8Array(ones.buffer), [ones.length / 2], "f32"),
      b: device.tensor(b, [8, 16], "f32"),
      c: result,
      m: 200,
      n: 16,
      k: 8,
      wantsPeaks: true,
    })!;
    return { c: result, peaks: found };
  });
  const largest = Math.max(...Array.from(await c.read(), Math.abs));
  expect(Array.from(await peaks.read())).toEqual(Array.from({ length: 4 }, () => largest));
  c.dispose();
  peaks.dispose();
});
