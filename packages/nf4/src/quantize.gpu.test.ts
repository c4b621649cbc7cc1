import { openSafetensorsFile } from "@kto/safetensors/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, listFixtures } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quantizeScales } from "./host/scales.js";
import { thresholdsOf, nf4Codes } from "./host/code-table.js";
import { quantizeWeights } from "./host/quantize-weights.js";
import { nf4Tensors, quantizeNf4 } from "./index.js";
import { readMatrix } from "./testing/matrix-fixtures.js";
import { bitsOf, encodeWeights, fromBits, rampBlock, rampBlocks, randomNumbers, sha256 } from "./testing/weights.js";
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

/** Quantises on the device and expects the host's codes and scales, to the bit. */
async function expectAsOnHost(
  bytes: Uint8Array,
  shape: readonly [number, number],
  dtype: WeightDtype,
  { doubleQuant = false, pieces = [bytes] }: { doubleQuant?: boolean; pieces?: Uint8Array[] } = {},
): Promise<void> {
  using weight = await quantizeNf4(device, { shape, dtype, doubleQuant, chunks: pieces, label: "w" });
  const tensors = new Map(await nf4Tensors("w", weight));
  const expected = quantizeWeights(decodeWeights(bytes, dtype));
  expect(tensors.get("w")!.data).toEqual(expected.packed);
  if (!doubleQuant) {
    expect(new Uint32Array(tensors.get("w.absmax")!.data.buffer)).toEqual(bitsOf(expected.absmax));
    return;
  }
  const scales = quantizeScales(expected.absmax);
  expect(tensors.get("w.absmax")!.data).toEqual(scales.codes);
  expect(new Uint32Array(tensors.get("w.nested_absmax")!.data.buffer)).toEqual(bitsOf(scales.absmax));
  expect(weight.state.nested!.offset).toBe(scales.offset);
}

/** Cuts bytes into pieces of these lengths, over and over. */
function cut(bytes: Uint8Array, lengths: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += lengths[(pieces.length - 1) % lengths.length]!)
    pieces.push(bytes.subarray(at, at + lengths[pieces.length % lengths.length]!));
  return pieces;
}

describe("as on the host, to the bit", () => {
  it.each(listFixtures("nf4", "matrices"))("%s", async (file) => {
    const { bytes, shape, dtype, nested } = await readMatrix(openSafetensorsFile(fixturePath("nf4", "matrices", file)));
    await expectAsOnHost(bytes, shape, dtype, { doubleQuant: nested !== undefined });
  });

  it.each(["float16", "bfloat16"] as const)("every finite %s, among neighbours and far ones", async (dtype) => {
    const all = Array.from({ length: 65_536 }, (_, i) => i).filter((bits) => (bits & 0x7fff) < (dtype === "float16" ? 0x7c00 : 0x7f80));
    const shuffled = randomNumbers(all.length).map((key, i) => [key, all[i]!] as const);
    const far = shuffled.sort(([a], [b]) => a - b).map(([, bits]) => bits);
    for (const list of [all, far]) {
      await expectAsOnHost(new Uint8Array(Uint16Array.from(list).buffer), [1, list.length], dtype);
    }
  });

  it("f32 of any size: a block each around every power of two, and blocks of all sizes", async () => {
    const noise = randomNumbers(255 * 64 * 2, 99);
    const near = Float32Array.from(
      { length: 255 * 64 },
      (_, i) => fromBits((Math.floor(i / 64) << 23) + Math.floor((noise[i]! + 0.5) * 2 ** 23)) * (noise[i + 1]! < 0 ? -1 : 1),
    );
    const mixed = Float32Array.from(noise, (v, i) => fromBits(Math.min(0x7f7fffff, Math.floor((v + 0.5) * 2 ** 31 + i))));
    await expectAsOnHost(encodeWeights(near, "float32"), [255, 64], "float32");
    await expectAsOnHost(encodeWeights(mixed, "float32"), [255, 128], "float32");
  });

  it("values at thresholds and one bit beside them", async () => {
    const thresholds = thresholdsOf(nf4Codes);
    const rows = randomNumbers(64, 5).map((v) => {
      const absmax = Math.fround(0.5 + v + 2 ** -9);
      const beside = Array.from(thresholds).flatMap((t) =>
        [-1, 0, 1].map((step) => fromBits(bitsOf([Math.fround(t * absmax)])[0]! + step)),
      );
      return [absmax, ...beside, ...new Array<number>(64 - 1 - beside.length).fill(0)];
    });
    await expectAsOnHost(encodeWeights(rows.flat(), "float32"), [64, 64], "float32");
  });

  it.each([
    [1, 1],
    [1, 63],
    [3, 43],
    [5, 13],
    [2, 64],
    [7, 96],
    [300, 100],
  ])("[%i, %i] in pieces that cut blocks", async (rows, cols) => {
    for (const dtype of ["float32", "float16", "bfloat16"] as const) {
      const values = decodeWeights(
        encodeWeights(
          randomNumbers(rows * cols).map((v) => Math.round(v * 256) / 256),
          dtype,
        ),
        dtype,
      );
      const bytes = encodeWeights(values, dtype);
      for (const lengths of [[2 * rows * cols * 2], [4], [60, 132, 4, 640]]) {
        await expectAsOnHost(bytes, [rows, cols], dtype, { doubleQuant: true, pieces: cut(bytes, lengths) });
      }
    }
  });
});

describe("the worked examples of the format", () => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  const quantize = async (
    values: Float32Array,
    shape: readonly [number, number],
    { dtype, doubleQuant }: { dtype: WeightDtype; doubleQuant: boolean },
  ): Promise<{ data: (suffix: string) => Uint8Array<ArrayBuffer>; values: Float32Array; offset: number | undefined }> => {
    using weight = await quantizeNf4(device, { shape, dtype, doubleQuant, chunks: [encodeWeights(values, dtype)], label: "w" });
    const tensors = new Map(await nf4Tensors("w", weight));
    using full = weight.dequantize("f32");
    return {
      data: (suffix) => tensors.get(`w${suffix}`)!.data,
      values: (await full.read()) as Float32Array,
      offset: weight.state.nested?.offset,
    };
  };

  it.each([
    ["float32", [-0.4921875, -0.3426573872566223, 0, 0, 0.12113340198993683, 0.4921875]],
    ["bfloat16", [-0.4921875, -0.341796875, 0, 0, 0.12109375, 0.4921875]],
    ["float16", [-0.4921875, -0.3427734375, 0, 0, 0.12115478515625, 0.4921875]],
  ] as [WeightDtype, number[]][])("one block of %s", async (dtype, expected) => {
    const { data, values } = await quantize(rampBlock, [1, 64], { dtype, doubleQuant: false });
    expect(hex(data(""))).toBe("00000111111112222233344445556667788899aaabbbccccddddeeeeeeefffff");
    expect(new Float32Array(data(".absmax").buffer)).toEqual(Float32Array.of(0.4921875));
    expect([0, 5, 31, 32, 40, 63].map((i) => values[i])).toEqual(expected);
    if (dtype === "float32") expect(values.reduce((total, value) => total + value, 0)).toBe(0.020569995045661926);
    if (dtype === "bfloat16")
      expect(sha256(encodeWeights(values, dtype))).toBe("849e2f91470ac78c315b0f91c8bdb4cf5ad106fe1ec6e43b120985e045fe0422");
  });

  it("four blocks, double quantisation", async () => {
    const { data, offset } = await quantize(rampBlocks, [4, 64], { dtype: "bfloat16", doubleQuant: true });
    expect(sha256(data(""))).toBe("cbf81b0701e81edca324899a5a4956166d9e4fff1603ef0c15285423c21c4e78");
    expect([offset, ...data(".absmax")]).toEqual([0.46142578125, 41, 176, 25, 255]);
    expect(new Float32Array(data(".nested_absmax").buffer)).toEqual(Float32Array.of(0.52294921875));
    const places = [0, 64, 128, 192, 255];
    for (const [dtype, expected] of [
      ["float32", [-0.24366645514965057, -0.49239417910575867, -0.12600284814834595, -0.984375, 0.984375]],
      ["bfloat16", [-0.244140625, -0.4921875, -0.1259765625, -0.984375, 0.984375]],
    ] as const) {
      const { values } = await quantize(rampBlocks, [4, 64], { dtype, doubleQuant: true });
      expect(places.map((i) => values[i])).toEqual(expected);
    }
  });

  it("1,024 random weights", async () => {
    const weights = Float32Array.from(randomNumbers(1024), (v) => roundToWeight(Math.fround(v * Math.fround(0.1)), "bfloat16"));
    const { data, values, offset } = await quantize(weights, [8, 128], { dtype: "bfloat16", doubleQuant: true });
    expect(sha256(data(""))).toBe("8a1aa1c0fdc60993c07cdba091f49b98ecbb9e3e74c2ee4b6322f1fcd950e0d6");
    expect([...data(".absmax")]).toEqual([41, 195, 41, 13, 208, 222, 208, 208, 222, 208, 0, 13, 195, 86, 195, 222]);
    expect([offset, ...new Float32Array(data(".nested_absmax").buffer)]).toEqual([0.0493621826171875, 0.0012664794921875]);
    expect(sha256(encodeWeights(values, "bfloat16"))).toBe("f7fd362df9eb8651c776215a8fe5232d0e3c926babc2bd7466a46787befe2b13");
  });

  it("ties, zeros of both signs, blocks of zeros, an odd count", async () => {
    const ties = Float32Array.of(1, fromBits(0x3d22faff), fromBits(0x3d22fb00), -0.045525018125772476, 0, -0);
    const { data } = await quantize(ties, [1, 6], { dtype: "float32", doubleQuant: false });
    expect(hex(data(""))).toBe("f78677");
    expect(hex((await quantize(new Float32Array(64), [1, 64], { dtype: "float16", doubleQuant: true })).data(""))).toBe("77".repeat(32));
    expect(hex((await quantize(Float32Array.of(1, -1, 0.5), [1, 3], { dtype: "bfloat16", doubleQuant: false })).data(""))).toBe("f0c7");
  });
});

it("holds a piece of a weight in full and no more", async () => {
  const [rows, cols] = [2048, 6144]; // 25 MB in bf16
  const piece = new Uint8Array(2 ** 20);
  const count = (rows * cols * 2) / piece.byteLength;
  await device.memory.trim();
  const before = device.memory.info().inUseBytes;
  let most = 0;
  function* chunks(): Generator<Uint8Array> {
    for (let i = 0; i < count; i++) {
      most = Math.max(most, device.memory.info().inUseBytes - before);
      yield piece;
    }
  }
  using weight = await quantizeNf4(device, { shape: [rows, cols], dtype: "bfloat16", doubleQuant: true, chunks: chunks(), label: "w" });
  const scales = (rows * cols * 4) / 64;
  expect(most).toBeLessThan((rows * cols) / 2 + scales + 4 * 2 ** 20 + 2 ** 16);
  expect(device.memory.info().inUseBytes - before).toBeLessThan(weight.byteLength + 2 ** 16);
});

describe("refuses", () => {
  it.each([
    ["float32", 0x7fc00000, 70],
    ["float32", 0xff800000, 0],
    ["bfloat16", 0x7f81, 129],
    ["float16", 0xfc00, 5],
  ] as [WeightDtype, number, number][])("%s with bits %i at element %i", async (dtype, bits, place) => {
    const list = dtype === "float32" ? new Uint32Array(130) : new Uint16Array(130);
    list[place] = bits;
    if (place < 100) list[place + 3] = bits;
    const chunks = cut(new Uint8Array(list.buffer), [100]);
    await expect(quantizeNf4(device, { shape: [2, 65], dtype, doubleQuant: true, chunks, label: "q_proj.weight" })).rejects.toThrow(
      `quantize: q_proj.weight: element ${place} of [2, 65] is NaN or infinite; expected finite weights; repair the checkpoint`,
    );
  });

  it("too few and too many bytes", async () => {
    const quantize = (bytes: number): Promise<unknown> =>
      quantizeNf4(device, { shape: [2, 65], dtype: "bfloat16", doubleQuant: false, chunks: [new Uint8Array(bytes)], label: "w" });
    await expect(quantize(258)).rejects.toThrow("quantize: w: expected 260 bytes of bfloat16 [2, 65], got 258");
    await expect(quantize(262)).rejects.toThrow("quantize: w: expected 260 bytes of bfloat16 [2, 65], got more");
  });

  it("to go on after an abort", async () => {
    const controller = new AbortController();
    function* chunks(): Generator<Uint8Array> {
      yield new Uint8Array(128);
      controller.abort(new Error("enough"));
      yield new Uint8Array(132);
    }
    const options = {
      shape: [2, 65],
      dtype: "bfloat16",
      doubleQuant: false,
      chunks: chunks(),
      label: "w",
      signal: controller.signal,
    } as const;
    await expect(quantizeNf4(device, options)).rejects.toThrow("enough");
  });
});
