import { afterAll, beforeAll, expect, it } from "vitest";
import type { Device } from "../device/device.js";
import { requestDevice } from "../device/request-device.js";
import { f16BitsToNumber, numberToF16Bits } from "../dtype.js";
import { full } from "../ops/full.js";
import type { Peaks } from "../ops/gemm.js";
import { emptyPeaks, skinnyProduct, type SkinnyTarget } from "../ops/skinny-product.js";
import type { Tensor } from "../tensor.js";
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
    const place = { c: result, transposed: transposeC, accumulate, alpha: 0.5 };
    skinnyProduct({
      a: device.fromBytes(new Uint8Array(a.buffer), [a.length / 2], "f32"),
      b: device.tensor(b, transposeB ? [n, k] : [k, n], "f32"),
      m,
      n,
      k,
      transposeA,
      transposeB,
      peaks: peaks && { tensor: peaks, first: 0, count: peaks.size },
      to: [place],
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

it("several factors, of sizes apart, go in and come out as by themselves", async () => {
  const [m, k, r] = [40, 200, 16];
  const values = (count: number, size: number): Float32Array => Float32Array.from({ length: count }, () => size * random());
  const wide = Uint16Array.from({ length: m * k }, () => numberToF16Bits(random()));
  const [as, dhs] = [[0, 1].map(() => values(r * k, 0.02)), [1, 1e-6].map((size) => values(m * r, size))];
  const { together, apart } = device.scope("factors", () => {
    const x = device.fromBytes(new Uint8Array(wide.buffer), [wide.length / 2], "f32");
    const aTensors = as.map((a) => device.tensor(a, [r, k], "f32"));
    const sides = Float32Array.from(
      { length: 2 * m * r },
      (_, i) => dhs[Math.floor((i % (2 * r)) / r)]![Math.floor(i / (2 * r)) * r + (i % r)]!,
    );
    const dh = device.tensor(sides, [m, 2 * r], "f32");
    const largest = device.tensor(
      dhs.flatMap((each) => [0, Math.max(...each.map(Math.abs))]),
      [4],
      "f32",
    );
    const peaksOf = (first: number, count: number): Peaks => ({ tensor: largest, first: 2 * first, count: 2 * count });
    const [h, hApart] = [device.empty([m, 2 * r], "f32"), device.empty([m, 2 * r], "f32")];
    const forward = { a: x, m, k, transposeB: true };
    skinnyProduct({ ...forward, b: aTensors, n: 2 * r, to: [{ c: h }] });
    aTensors.forEach((a, index) => skinnyProduct({ ...forward, b: a, n: r, to: [{ c: hApart, first: r * index }] }));
    const back = { a: x, m: k, k: m, transposeA: true };
    const results = (): Tensor[] => dhs.map((_, index) => full(device, [r, k], index, "f32"));
    const [dA, dAApart] = [results(), results()];
    const to = (c: Tensor, index: number): SkinnyTarget => ({ c, transposed: true, alpha: 2 ** index, accumulate: true });
    skinnyProduct({ ...back, b: dh, n: 2 * r, peaks: peaksOf(0, 2), to: dA.map(to) });
    dAApart.forEach((c, index) => skinnyProduct({ ...back, b: dh, bFirst: r * index, n: r, peaks: peaksOf(index, 1), to: [to(c, index)] }));
    return { together: [h, ...dA], apart: [hApart, ...dAApart] };
  });
  for (const [index, tensor] of together.entries()) {
    const [one, other] = [await tensor.read(), await apart[index]!.read()];
    const size = Math.max(...other.map(Math.abs));
    expect(size, `result ${index}`).toBeGreaterThan(0);
    one.forEach((value, i) => expect(Math.abs(value - other[i]!) / size, `result ${index}`).toBeLessThan(1e-6));
  }
  for (const tensor of [...together, ...apart]) tensor.dispose();
});

it("peaks are the largest values of what was written", async () => {
  const b = Float32Array.from({ length: 16 * 8 }, () => random());
  const { c, peaks } = device.scope("peaks", () => {
    const result = device.empty([200, 16], "f32");
    const ones = Uint16Array.from({ length: 200 * 8 }, () => numberToF16Bits(1));
    const [found] = emptyPeaks(device, 1, { m: 200, n: 16 });
    skinnyProduct({
      a: device.fromBytes(new Uint8Array(ones.buffer), [ones.length / 2], "f32"),
      b: device.tensor(b, [8, 16], "f32"),
      m: 200,
      n: 16,
      k: 8,
      to: [{ c: result, peaks: found! }],
    });
    return { c: result, peaks: found!.tensor };
  });
  const largest = Math.max(...Array.from(await c.read(), Math.abs));
  expect(Array.from(await peaks.read())).toEqual(Array.from({ length: 4 }, () => largest));
  c.dispose();
  peaks.dispose();
});
