import { afterAll, beforeAll, expect, it } from "vitest";
import type { Device } from "../device/device.js";
import { requestDevice } from "../device/request-device.js";
import { f16BitsToNumber, numberToF16Bits } from "../dtype.js";
import { full } from "../ops/full.js";
import type { Tensor } from "../tensor.js";
import { hasSubgroupMatrix } from "./lib/subgroup-matrix.js";
import type { RightOrder } from "./lib/pipelined-tiles.js";
import { pipelinedMatmulKernel } from "./matmul-pipelined.wgsl.js";

let device: Device;
let nextTile: Tensor;

beforeAll(async () => {
  device = await requestDevice();
  device.recorder.variants.set("pipelinedMatmul", hasSubgroupMatrix(device.capabilities) ? "subgroup" : "emulated");
  nextTile = device.tensor(new Uint32Array(1), [1], "u32");
});

afterAll(() => {
  nextTile?.dispose();
  device?.recorder.variants.delete("pipelinedMatmul");
  device?.dispose();
});

let seed = 7;

function random(): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return seed / 2 ** 31 - 1;
}

interface Case {
  m: number;
  n: number;
  k: number;
  order: RightOrder;
  /** Of a product of low rank, with the size of h's values. */
  rank?: number;
  sizeOfH?: number;
  extras?: boolean;
  fewTiles?: boolean;
}

const orders: RightOrder[] = ["rows", "columns", "eights"];
const halves = (count: number): Uint16Array => Uint16Array.from({ length: count }, () => numberToF16Bits(random()));
const singles = (count: number, size = 1): Float32Array => Float32Array.from({ length: count }, () => size * random());

/** Of the device's product and one in float64 the largest difference, over the largest value; with `rank` and k's product left at 0, of the low rank alone. */
async function errorOf(
  { m, n, k, order, rank = 0, sizeOfH = 1, extras = false, fewTiles = false }: Case,
  isAlone = false,
): Promise<number> {
  const a = isAlone ? new Uint16Array(m * k) : halves(m * k);
  const b = halves(n * k);
  const [hPitch, hFirst] = [rank + 24, 8]; // h lies among others
  const [bias, addend, h, factor] = [singles(n), singles(m * n), singles(m * hPitch, sizeOfH), singles(n * rank, 0.01)];
  const places: Record<RightOrder, (depth: number, col: number) => number> = {
    rows: (depth, col) => col * k + depth,
    columns: (depth, col) => depth * n + col,
    eights: (depth, col) => (Math.floor(depth / 8) * n + col) * 8 + (depth % 8),
  };
  const factorPlace = (r: number, col: number): number => (order === "columns" ? r * n + col : col * rank + r);
  const bits = (values: Uint16Array): Tensor => device.fromBytes(new Uint8Array(values.buffer), [values.length / 2], "f32");
  const f32 = (values: Float32Array): Tensor => device.tensor(values, [values.length], "f32");
  const lowRankScale = 0.5;
  const c = device.scope("pipelined", () => {
    const result = full(device, [m, n], 0.25, "f32");
    const left = bits(a);
    pipelinedMatmulKernel.run(
      device,
      {
        a: left,
        b: bits(b),
        bias: extras ? f32(bias) : left,
        addend: extras ? f32(addend) : left,
        h: rank ? f32(h) : left,
        factor: rank ? f32(factor) : left,
        peaks: rank ? f32(Float32Array.from([1e30, 0, Math.max(...h.map(Math.abs))])) : left,
        nextTile,
        c: result,
      },
      {
        m,
        n,
        k,
        alpha: extras ? 0.5 : 1,
        aOffset: 0,
        bOffset: 0,
        cOffset: 0,
        rank,
        hPitch,
        hFirst,
        firstPeak: 1,
        numPeaks: 2,
        lowRankScale,
      },
      { order, dtype: "f32", hasBias: extras, hasAddend: extras, accumulate: extras, hasLowRank: rank > 0, fewTiles },
    );
    return result;
  });
  const values = await c.read();
  c.dispose();
  const [left, right] = [Float64Array.from(a, f16BitsToNumber), Float64Array.from(b, f16BitsToNumber)];
  let [error, largest] = [0, 0];
  for (let index = 0; index < m * n; index++) {
    const [row, col] = [Math.floor(index / n), index % n];
    let sum = 0;
    for (let depth = 0; depth < k; depth++) sum += left[row * k + depth]! * right[places[order](depth, col)]!;
    for (let r = 0; r < rank; r++) sum += lowRankScale * h[row * hPitch + hFirst + r]! * factor[factorPlace(r, col)]!;
    const expected = extras ? 0.5 * sum + bias[col]! + addend[index]! + 0.25 : sum;
    error = Math.max(error, Math.abs(values[index]! - expected));
    largest = Math.max(largest, Math.abs(expected));
    if (Number.isNaN(values[index]!)) return Number.NaN;
  }
  return error / largest;
}

it.each(orders)("b in %s: every size of row and column, against float64", async (order) => {
  for (const [m, n, k] of [
    [1, 8, 64],
    [33, 72, 64],
    [70, 136, 192],
    [32, 64, 320],
  ] as const) {
    expect(await errorOf({ m, n, k, order, extras: true }), `${m} × ${n} × ${k}`).toBeLessThan(5e-6);
  }
});

it("a workgroup for each tile gives what workgroups that go on with the next do", async () => {
  expect(await errorOf({ m: 70, n: 136, k: 192, order: "rows", rank: 16, fewTiles: true })).toBeLessThan(5e-6);
});

it("every tile of a wide result is taken once, by fewer workgroups than tiles, and the count begins anew", async () => {
  for (let time = 0; time < 2; time++) {
    expect(await errorOf({ m: 490, n: 1032, k: 64, order: "columns", rank: 16 })).toBeLessThan(5e-6);
    expect([...(await nextTile.read())]).toEqual([0]);
  }
});

it.each(orders)("a product of low rank inside one with b in %s is as exact as f32", async (order) => {
  for (const rank of [8, 16, 24, 40]) expect(await errorOf({ m: 37, n: 72, k: 64, order, rank }, true), `rank ${rank}`).toBeLessThan(2e-6);
  if (order === "columns")
    expect(await errorOf({ m: 37, n: 72, k: 128, order, rank: 16, extras: true }), "with all else").toBeLessThan(5e-6);
});

it.each([1e-30, 1e-9, 1e4, 1e20])("h of the size %f loses nothing by f16's range", async (sizeOfH) => {
  for (const order of orders) expect(await errorOf({ m: 20, n: 40, k: 64, order, rank: 16, sizeOfH }, true), order).toBeLessThan(2e-6);
});

it("a product of low rank of zeros changes no bit", async () => {
  const [a, b] = [halves(40 * 128), halves(64 * 128)];
  const bits = (values: Uint16Array): Tensor => device.fromBytes(new Uint8Array(values.buffer), [values.length / 2], "f32");
  const run = async (hasLowRank: boolean): Promise<Float32Array> => {
    const c = device.scope("zeros", () => {
      const result = device.empty([40, 64], "f32");
      const [left, h, factor] = [bits(a), device.tensor(singles(40 * 16), [40, 16], "f32"), full(device, [64, 16], 0, "f32")];
      pipelinedMatmulKernel.run(
        device,
        { a: left, b: bits(b), bias: left, addend: left, h, factor, peaks: full(device, [1], 1, "f32"), nextTile, c: result },
        {
          m: 40,
          n: 64,
          k: 128,
          alpha: 1,
          aOffset: 0,
          bOffset: 0,
          cOffset: 0,
          rank: 16,
          hPitch: 16,
          hFirst: 0,
          firstPeak: 0,
          numPeaks: 1,
          lowRankScale: 2,
        },
        { order: "rows", dtype: "f32", hasBias: false, hasAddend: false, accumulate: false, hasLowRank, fewTiles: false },
      );
      return result;
    });
    const values = (await c.read()) as Float32Array;
    c.dispose();
    return values;
  };
  expect(await run(true)).toEqual(await run(false));
});
