import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, listFixtures } from "@kto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quantizeScales } from "./host/scales.js";
import { thresholdsOf, nf4Codes } from "./host/code-table.js";
import { quantizeWeights } from "./host/quantize-weights.js";
import { nf4Tensors, quantizeNf4 } from "./index.js";
import { readMatrix } from "./matrix-fixtures.js";
import { bitsOf, encodeWeights, fromBits, randomNumbers } from "./test-support.js";
import { decodeWeights, type WeightDtype } from "./weight-dtype.js";

let device: Device;
let liveAtStart: number;
beforeAll(async () => {
  device = await requestDevice();
  liveAtStart = device.memory().liveStorages;
});
afterAll(() => {
  expect(device.memory().liveStorages).toBe(liveAtStart);
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
    const { bytes, shape, dtype, nested } = await readMatrix(fixturePath("nf4", "matrices", file));
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
