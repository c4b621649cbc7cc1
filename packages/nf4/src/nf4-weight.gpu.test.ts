import { openSafetensorsFile } from "@kto/safetensors/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, listFixtures } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { numberToF16Bits, f16BitsToNumber } from "@kto/tensor";
import { dequantizeWeights } from "./host/quantize-weights.js";
import { dequantizeScales } from "./host/scales.js";
import { expandKernel } from "./kernels/expand-nf4.wgsl.js";
import { quantizeNf4, type Nf4Weight } from "./index.js";
import { expandEights, expandsEights } from "./ops/expand.js";
import { readMatrix } from "./testing/matrix-fixtures.js";
import { bitsOf, encodeWeights, randomNumbers } from "./testing/weights.js";
import { decodeWeights, roundToWeight, type WeightDtype } from "./weight-dtype.js";

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

/** Reads a weight's codes and scales back and applies the host's rules to them. */
async function expectedValues({ tensors, state, numElements }: Nf4Weight): Promise<Float32Array<ArrayBuffer>> {
  const packed = await device.readBytes(tensors.codes);
  const scaleBytes = await device.readBytes(tensors.absmax);
  const { nested } = state;
  const numBlocks = Math.ceil(numElements / state.blockSize);
  const absmax = nested
    ? dequantizeScales(
        { codes: scaleBytes.slice(0, numBlocks), absmax: (await tensors.nestedAbsmax!.read()) as Float32Array, offset: nested.offset },
        nested.codes,
      )
    : new Float32Array(scaleBytes.buffer);
  return dequantizeWeights({ packed, absmax }, { size: numElements, dtype: state.dtype, blockSize: state.blockSize, codes: state.codes });
}

/** Compares `dequantize` with the host in every variant, in f32 and in f16. */
async function expectExact(weight: Nf4Weight): Promise<void> {
  const expected = await expectedValues(weight);
  const asHalves = expected.map((value) => f16BitsToNumber(numberToF16Bits(value)));
  for (const { name } of expandKernel.variants) {
    if (name === "vector" && weight.numElements % 8 !== 0) continue;
    device.recorder.variants.set("expandNf4", name);
    using single = weight.dequantize("f32");
    using half = weight.dequantize("f16");
    device.recorder.variants.delete("expandNf4");
    expect(single.shape).toEqual(weight.shape);
    expect(bitsOf(await single.read()), `${name} f32`).toEqual(bitsOf(expected));
    expect(bitsOf(await half.read()), `${name} f16`).toEqual(bitsOf(asHalves));
  }
  if (!expandsEights(weight)) return;
  using eights = device.unscoped(() => expandEights(weight));
  const [numRows, numCols] = weight.shape;
  const inEights = asHalves.map((_, place) => {
    const [eight, row, j] = [Math.floor(place / (8 * numRows)), Math.floor(place / 8) % numRows, place % 8];
    return asHalves[row * numCols + 8 * eight + j]!;
  });
  expect(eights.shape).toEqual([numCols / 8, numRows, 8]);
  expect(bitsOf(await eights.read()), "in eights").toEqual(bitsOf(inEights));
}

describe("dequantize, in every variant, is the host's rule to the bit", () => {
  it.each(listFixtures("nf4", "matrices"))("%s", async (file) => {
    const { bytes, shape, dtype, nested } = await readMatrix(openSafetensorsFile(fixturePath("nf4", "matrices", file)));
    using weight = await quantizeNf4(device, { shape, dtype, doubleQuant: nested !== undefined, chunks: [bytes], label: file });
    await expectExact(weight);
  });

  it.each(["float32", "float16", "bfloat16"] as const)(
    "%s, scales from 1e-9 to 1e4, so that f16 rounds, underflows and overflows",
    async (dtype) => {
      const values = randomNumbers(64 * 64).map((v, i) =>
        roundToWeight(Math.fround(v * 10 ** ((Math.floor(i / 64) * 13) / 64 - 9 + (dtype === "float16" ? 0 : 2))), dtype),
      );
      const bytes = encodeWeights(values, dtype);
      for (const doubleQuant of [false, true]) {
        using weight = await quantizeNf4(device, { shape: [64, 64], dtype, doubleQuant, chunks: [bytes], label: "w" });
        await expectExact(weight);
      }
    },
  );

  it("more than 65,535 workgroups", async () => {
    const numbers = Float32Array.from({ length: 4096 }, (_, i) => ((i * 2_654_435_761) % 4096) / 4096 - 0.5);
    const bytes = new Uint8Array(numbers.buffer);
    const chunks = Array.from({ length: 1050 }, () => bytes); // 4,300,800 weights, the same every 64 blocks
    using weight = await quantizeNf4(device, { shape: [1050, 4096], dtype: "float32", doubleQuant: false, chunks, label: "w" });
    using full = weight.dequantize("f32");
    const found = await device.readBytes(full);
    const expected = new Uint8Array((await expectedValues(weight)).buffer);
    expect(Buffer.compare(found, expected)).toBe(0);
    expect(Buffer.compare(found.subarray(0, 16_384), found.subarray(-16_384))).toBe(0);
  });
});

describe("a weight", () => {
  const make = (dtype: WeightDtype, doubleQuant: boolean): Promise<Nf4Weight> =>
    quantizeNf4(device, {
      shape: [256, 128],
      dtype,
      doubleQuant,
      chunks: [encodeWeights(new Float32Array(32_768).fill(0.5), dtype)],
      label: "w",
    });

  it("is as large as on disk, and tells its shape", async () => {
    using nested = await make("bfloat16", true);
    using plain = await make("float32", false);
    expect([nested.byteLength, plain.byteLength]).toEqual([16_384 + 512 + 8 + 4 * 288, 16_384 + 2048 + 4 * 288]);
    expect([nested.shape, nested.numElements, nested.label, nested.state.dtype]).toEqual([[256, 128], 32_768, "w", "bfloat16"]);
    expect(decodeWeights(await device.readBytes(plain.tensors.absmax), "float32")[0]).toBe(0.5);
  });

  it("is free after dispose, and says so when it is used", async () => {
    const weight = await make("bfloat16", true);
    expect(weight.isDisposed).toBe(false);
    weight.dispose();
    expect(weight.isDisposed).toBe(true);
    expect(() => device.scope(() => void weight.dequantize("f32"))).toThrow("expandNf4: tensor");
  });

  it("survives the scope it was made in; its full form does not", async () => {
    const weight = await make("float16", false);
    using kept = device.scope(() => {
      weight.dequantize("f32");
      return weight.dequantize("f16");
    });
    expect((await kept.read())[5]).toBe(0.5);
    weight.dispose();
  });
});
