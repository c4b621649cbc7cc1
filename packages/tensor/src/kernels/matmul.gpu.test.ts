import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Device } from "../device/device.js";
import { requestDevice } from "../device/request-device.js";
import { f16BitsToNumber, numberToF16Bits, type FloatDtype } from "../dtype.js";
import { full } from "../ops/full.js";
import { gemm, type Gemm } from "../ops/gemm.js";
import type { Tensor } from "../tensor.js";
import { matmulKernel } from "./matmul.wgsl.js";

let device: Device;

beforeAll(async () => {
  device = await requestDevice();
});

afterAll(() => device?.dispose());

let seed = 1;

/** Values of ± 1 that the dtype holds exactly. */
function numbers(count: number, dtype: FloatDtype): Float32Array {
  return Float32Array.from({ length: count }, () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    const value = seed / 2 ** 31 - 1;
    return dtype === "f16" ? f16BitsToNumber(numberToF16Bits(value)) : Math.fround(value);
  });
}

interface Case extends Partial<Omit<Gemm, "a" | "b" | "c" | "bias" | "addend">> {
  m: number;
  n: number;
  k: number;
  aType?: FloatDtype;
  bType?: FloatDtype;
  dtype?: FloatDtype;
  /** Bias, alpha, accumulation and (unless told otherwise) an addend. */
  extras?: boolean;
  addend?: boolean;
}

/** Normalised mean square error of a product of the device against float64. */
async function errorOf(variant: string | undefined, product: Case): Promise<number> {
  const {
    m,
    n,
    k,
    aType = "f32",
    bType = "f32",
    dtype = "f32",
    extras = false,
    addend = extras,
    transposeA,
    transposeB,
    aOffset = 0,
    bOffset = 0,
    cOffset = 0,
    splits,
  } = product;
  const data = {
    a: numbers(aOffset + m * k, aType),
    b: numbers(bOffset + n * k, bType),
    c: numbers(cOffset + m * n, dtype),
    bias: numbers(n, "f32"),
    addend: numbers(m * n, "f32"),
  };
  const upload = (values: Float32Array, type: FloatDtype): Tensor => device.tensor(values, [values.length], type);
  if (variant) device.recorder.variants.set("matmul", variant);
  const c = device.scope("test", () => {
    const result = upload(data.c, dtype);
    gemm({
      a: upload(data.a, aType),
      b: upload(data.b, bType),
      c: result,
      m,
      n,
      k,
      aOffset,
      bOffset,
      cOffset,
      ...(transposeA !== undefined && { transposeA }),
      ...(transposeB !== undefined && { transposeB }),
      ...(splits !== undefined && { splits }),
      ...(extras && { bias: upload(data.bias, "f32"), alpha: 0.5, accumulate: true }),
      ...(addend && { addend: upload(data.addend, "f32") }),
    });
    return result;
  });
  device.recorder.variants.delete("matmul");
  const values = await c.read();
  c.dispose();
  expect([...values.subarray(0, cOffset)], "elements before the offset").toEqual([...data.c.subarray(0, cOffset)]);
  let [squares, size] = [0, 0];
  for (let row = 0; row < m; row++) {
    for (let col = 0; col < n; col++) {
      let sum = 0;
      for (let depth = 0; depth < k; depth++) {
        sum +=
          data.a[aOffset + (transposeA ? depth * m + row : row * k + depth)]! *
          data.b[bOffset + (transposeB ? col * k + depth : depth * n + col)]!;
      }
      const index = row * n + col;
      if (extras) sum = 0.5 * sum + data.bias[col]! + data.c[cOffset + index]!;
      if (addend) sum += data.addend[index]!;
      squares += (values[cOffset + index]! - sum) ** 2;
      size += sum ** 2;
    }
  }
  return squares / size;
}

const transposes = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

describe("f32, against float64", () => {
  const odd: [m: number, n: number, k: number][] = [
    [1, 1, 1],
    [3, 5, 7],
    [65, 67, 37],
    [17, 33, 64],
    [9, 16, 5],
    [70, 3, 130],
  ];
  const vectors: [m: number, n: number, k: number][] = [
    [8, 8, 8],
    [72, 72, 72],
    [72, 16, 200],
    [16, 136, 72],
  ];
  it.each(transposes)("plain, transposed %s and %s", async (transposeA, transposeB) => {
    for (const [m, n, k] of [...odd, ...vectors]) {
      const label = `${m} × ${n} × ${k}`;
      expect(await errorOf("plain", { m, n, k, transposeA, transposeB }), label).toBeLessThan(1e-10);
      expect(
        await errorOf("plain", {
          m,
          n,
          k,
          transposeA,
          transposeB,
          extras: true,
          aOffset: 64,
          bOffset: 8,
          cOffset: 16,
          splits: k > 32 ? 3 : 1,
        }),
        label,
      ).toBeLessThan(1e-10);
    }
  });

  // Barriers make these slow to compile and to run on a software adapter: there, one shape for each form of the tile.
  const few = process.env["KTO_DEVICE"] !== "gpu";
  const tiled: [variant: string, shapes: typeof odd][] = [
    ["tiled", few ? odd.slice(2, 3).concat([[70, 3, 130]]) : [...odd, ...vectors]],
    ["tiledVector", few ? vectors.slice(1) : vectors],
  ];
  for (const [variant, shapes] of tiled) {
    it.each(transposes)(`${variant}, transposed %s and %s`, async (transposeA, transposeB) => {
      for (const [m, n, k] of shapes) {
        const splits = n <= 32 && k > 32 ? 3 : 1;
        expect(
          await errorOf(variant, { m, n, k, transposeA, transposeB, extras: true, aOffset: 64, bOffset: 8, cOffset: 16, splits }),
          `${m} × ${n} × ${k}`,
        ).toBeLessThan(1e-10);
      }
    });
  }

  it.each(transposes)("the variant for software adapters, transposed %s and %s", async (transposeA, transposeB) => {
    if (device.capabilities.subgroupMaxSize !== 4) return; // written for subgroups of 4; another device cannot run it
    for (const [m, n, k] of [...odd, ...vectors]) {
      const label = `${m} × ${n} × ${k}`;
      expect(
        await errorOf("broadcast", { m, n, k, transposeA, transposeB, extras: true, aOffset: 3, bOffset: 5, cOffset: 1 }),
        label,
      ).toBeLessThan(1e-10);
      if (k > 32)
        expect(await errorOf("broadcast", { m, n, k, transposeA, transposeB, splits: 3 }), `${label} in parts`).toBeLessThan(1e-10);
    }
  });

  it("more than 65,535 workgroups", async () => {
    for (const variant of device.capabilities.software ? [undefined, "plain"] : [undefined, "tiled", "plain"]) {
      expect(await errorOf(variant, { m: 16 * 4 * 65_536 + 5, n: 1, k: 1 }), variant ?? "chosen").toBeLessThan(1e-10);
    }
  });
});

describe("f16 operands, against float64", () => {
  const shapes: [m: number, n: number, k: number][] = [
    [1, 8, 8],
    [129, 136, 24],
    [64, 64, 64],
    [200, 256, 128],
    [300, 128, 96],
  ];
  const half = { aType: "f16", bType: "f16" } as const;
  it.each(["subgroupMatrix", "subgroupMatrixSmall", "tiledVector", "tiled", "plain"])("%s", async (variant) => {
    if (!device.capabilities.shaderF16) return; // no f16 tensors there
    if (variant.startsWith("subgroupMatrix") && device.capabilities.subgroupMatrix.length === 0) return;
    for (const [m, n, k] of shapes) {
      for (const transposeB of [true, false]) {
        const label = `${m} × ${n} × ${k}, transposed ${transposeB}`;
        expect(await errorOf(variant, { m, n, k, transposeB, ...half, dtype: "f16", extras: true }), label).toBeLessThan(1e-6);
        expect(
          await errorOf(variant, { m, n, k, transposeB, ...half, aOffset: 8, bOffset: 64, cOffset: 8, extras: true, splits: 2 }),
          `${label} → f32`,
        ).toBeLessThan(1e-9);
      }
    }
  });

  it("mixed dtypes and odd sizes take another variant", async () => {
    if (!device.capabilities.shaderF16) return;
    expect(await errorOf(undefined, { m: 33, n: 31, k: 29, transposeB: true, ...half, dtype: "f16", extras: true })).toBeLessThan(1e-6);
    expect(await errorOf(undefined, { m: 40, n: 64, k: 64, transposeB: true, aType: "f16", dtype: "f16" })).toBeLessThan(1e-6);
    expect(await errorOf(undefined, { m: 40, n: 16, k: 640, transposeA: true, bType: "f16" })).toBeLessThan(1e-9);
  });
});

it.each([
  [1, 8, 8, 1],
  [65, 72, 24, 1],
  [70, 136, 40, 1],
  [33, 40, 168, 3],
])("what stands around the matrix units is right, as seen with emulated ones: %i × %i × %i in %i parts", async (m, n, k, splits) => {
  for (const transposeB of [true, false]) {
    const halves = (count: number): Uint16Array => Uint16Array.from(numbers(count, "f16"), numberToF16Bits);
    const [a, b] = [halves(m * k), halves(n * k)];
    const bits = (values: Uint16Array): Tensor => device.fromBytes(new Uint8Array(values.buffer), [values.length / 2], "f32");
    const addend = numbers(splits === 1 ? m * n : 0, "f32"); // parts of a product are alone
    device.recorder.variants.set("matmul", "subgroupMatrixEmulated");
    const c = device.scope("emulated", () => {
      const result = full(device, [splits, m, n], 0.25, "f32");
      const bias = full(device, [n], 2, "f32");
      const added = splits === 1 ? device.tensor(addend, [m, n], "f32") : bias;
      matmulKernel.run(
        device,
        { a: bits(a), b: bits(b), bias, addend: added, c: result },
        { m, n, k, splits, depthPerSplit: splits === 1 ? k : 64, alpha: 0.5, aOffset: 0, bOffset: 0, cOffset: 0 },
        {
          aType: "f32",
          bType: "f32",
          dtype: "f32",
          transposeA: false,
          transposeB,
          accumulate: splits === 1,
          hasBias: splits === 1,
          hasAddend: splits === 1,
          tileShape: "square",
          short: false,
          aligned: true,
          evenDepth: false,
          fewTiles: true,
        },
      );
      return result;
    });
    device.recorder.variants.delete("matmul");
    const values = await c.read();
    c.dispose();
    for (let i = 0; i < m * n; i++) {
      const [row, col] = [Math.floor(i / n), i % n];
      let sum = 0;
      for (let depth = 0; depth < k; depth++)
        sum += f16BitsToNumber(a[row * k + depth]!) * f16BitsToNumber(b[transposeB ? col * k + depth : depth * n + col]!);
      const expected = splits === 1 ? 0.5 * sum + 2.25 + addend[i]! : 0.5 * sum;
      let got = 0;
      for (let split = 0; split < splits; split++) got += values[split * m * n + i]!;
      expect(Math.abs(got - expected), `element ${row}, ${col}`).toBeLessThan(1e-5);
    }
  }
});

it("a product repeats bit for bit", async () => {
  const [a, b] = [device.tensor(numbers(40 * 2000, "f32"), [40, 2000], "f32"), device.tensor(numbers(24 * 2000, "f32"), [2000, 24], "f32")];
  const run = async (): Promise<Float32Array> => {
    const c = device.empty([40, 24], "f32");
    gemm({ a, b, c, m: 40, n: 24, k: 2000, splits: 4 });
    const values = (await c.read()) as Float32Array;
    c.dispose();
    return values;
  };
  expect(await run()).toEqual(await run());
  a.dispose();
  b.dispose();
});
