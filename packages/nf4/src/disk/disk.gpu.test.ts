import { bytesSource } from "@kto/core";
import { encodeSafetensors, openSafetensors } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, listFixtures } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isNf4Weight, loadNf4Weight, nf4Tensors, quantizeNf4, readQuantState, type CompanionReader } from "../index.js";
import { readMatrix } from "../testing/matrix-fixtures.js";
import { bitsOf, encodeWeights, rampBlocks, randomNumbers } from "../testing/weights.js";
import { decodeWeights } from "../weight-dtype.js";

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

const folders = listFixtures("nf4").filter((name) => name.startsWith("model-"));

describe.each(folders)("%s", (folder) => {
  it("every four-bit weight is read and written as it was", async () => {
    await using file = await openSafetensorsFile(fixturePath("nf4", folder, "model.safetensors"));
    const names = [...file.tensors.keys()].filter((name) => isNf4Weight(file, name));
    expect(names.length).toBeGreaterThan(5);
    expect(isNf4Weight(file, "lm_head.weight")).toBe(false);
    for (const name of names) {
      let bytes = 0;
      using weight = await loadNf4Weight(file, name, { device, onBytes: (count) => void (bytes += count) });
      const written = await nf4Tensors(name, weight);
      const companions = [...file.tensors.keys()].filter((key) => key === name || key.startsWith(`${name}.`));
      expect(written.map(([key]) => key).sort()).toEqual(companions.sort());
      for (const [key, { dtype, shape, data }] of written) expect({ dtype, shape, data }, key).toEqual(await plain(file, key));
      expect(bytes).toBe(["", ".absmax", ".nested_absmax"].reduce((sum, end) => sum + file.tensors.get(name + end)!.byteLength, 0));
    }
  });
});

async function plain(file: Awaited<ReturnType<typeof openSafetensorsFile>>, name: string): Promise<object> {
  const { dtype, shape, data } = await file.read(name);
  return { dtype, shape: [...shape], data: data.slice() };
}

it("dequantised weights of model-dynamic are bitsandbytes'", async () => {
  await using file = await openSafetensorsFile(fixturePath("nf4", "model-dynamic", "model.safetensors"));
  await using expected = await openSafetensorsFile(fixturePath("nf4", "dequantized-dynamic.safetensors"));
  expect(expected.tensors.size).toBe(7);
  for (const [name, { shape }] of expected.tensors) {
    using weight = await loadNf4Weight(file, name, { device, shape: shape as [number, number] });
    using full = weight.dequantize("f32");
    expect(bitsOf(await full.read()), name).toEqual(bitsOf(decodeWeights((await expected.read(name)).data, "bfloat16")));
  }
});

it.each(["normal.bf16.nested", "odd-tail.f32", "many-blocks.bf16.nested", "short.f16.nested"])(
  "%s: quantised, written to a safetensors file and read again",
  async (matrix) => {
    const { bytes, shape, dtype, nested } = await readMatrix(openSafetensorsFile(fixturePath("nf4", "matrices", `${matrix}.safetensors`)));
    using weight = await quantizeNf4(device, { shape, dtype, doubleQuant: nested !== undefined, chunks: [bytes], label: "w" });
    const written = await nf4Tensors("w", weight);
    await using file = await openSafetensors(bytesSource(await encodeSafetensors(written, { metadata: { format: "pt" } })));
    using again = await loadNf4Weight(file, "w", { device, shape });
    expect(again.state).toEqual(weight.state);
    expect(await nf4Tensors("w", again)).toEqual(written);
  },
);

/** A reader of tensors in memory that gives them in pieces of a few bytes. */
function readerOf(tensors: Companions, pieceBytes = 5): CompanionReader {
  return {
    tensors: new Map([...tensors].map(([name, { dtype, shape, data }]) => [name, { dtype, shape, byteLength: data.byteLength }])),
    read: (name) => Promise.resolve({ data: tensors.get(name)!.data }),
    async *stream(name) {
      const { data } = tensors.get(name)!;
      for (let at = 0; at < data.byteLength; at += pieceBytes) yield await Promise.resolve(data.subarray(at, at + pieceBytes));
    },
  };
}

type Companions = Map<string, { dtype: string; shape: readonly number[]; data: Uint8Array }>;

/** The companions of the example of four blocks. */
async function exampleTensors(doubleQuant = true): Promise<Companions> {
  const bytes = encodeWeights(rampBlocks, "bfloat16");
  using weight = await quantizeNf4(device, { shape: [4, 64], dtype: "bfloat16", doubleQuant, chunks: [bytes], label: "w" });
  return new Map(await nf4Tensors("w", weight));
}

const stateName = "w.quant_state.bitsandbytes__nf4";
const stateOf = (tensors: Companions): Record<string, unknown> =>
  JSON.parse(new TextDecoder().decode(tensors.get(stateName)!.data)) as Record<string, unknown>;
const setState = (tensors: Companions, text: string): void => {
  const data = new TextEncoder().encode(text);
  tensors.set(stateName, { dtype: "U8", shape: [data.byteLength], data });
};

describe("the quant state", () => {
  it("is written as bitsandbytes writes it", async () => {
    expect(new TextDecoder().decode((await exampleTensors()).get(stateName)!.data)).toBe(
      '{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 64], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.46142578125}',
    );
    expect(new TextDecoder().decode((await exampleTensors(false)).get(stateName)!.data)).toBe(
      '{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 64]}',
    );
  });

  it("is read with its maps and without the weight", async () => {
    const state = await readQuantState(readerOf(await exampleTensors()), "w");
    expect(state).toMatchObject({ quantType: "nf4", blockSize: 64, dtype: "bfloat16", shape: [4, 64], isTransposed: false });
    expect([state.codes.length, state.nested!.codes.length, state.nested!.offset]).toEqual([16, 256, 0.46142578125]);
  });
});

describe("reads what bitsandbytes reads", () => {
  const valuesOf = async (tensors: Companions): Promise<number[]> => {
    using weight = await loadNf4Weight(readerOf(tensors), "w", { device });
    using full = weight.dequantize("f32");
    return [...(await full.read())];
  };

  it("companions in any order, and in pieces of any size", async () => {
    const tensors = await exampleTensors();
    const expected = await valuesOf(tensors);
    expect([expected[0], expected[255]]).toEqual([-0.244140625, 0.984375]);
    expect(await valuesOf(new Map([...tensors].reverse()))).toEqual(expected);
  });

  it("a key of the quant state that is there twice: the last one counts, as in Python", async () => {
    const tensors = await exampleTensors();
    const expected = await valuesOf(tensors);
    setState(tensors, JSON.stringify(stateOf(tensors)).replace("{", '{"blocksize":128,'));
    expect(await valuesOf(tensors)).toEqual(expected);
  });

  it("packed codes under another storage dtype", async () => {
    const tensors = await exampleTensors();
    const expected = await valuesOf(tensors);
    for (const [dtype, size] of [
      ["BF16", 2],
      ["F32", 4],
      ["F16", 2],
    ] as const) {
      tensors.set("w", { ...tensors.get("w")!, dtype, shape: [128 / size, 1] });
      expect(await valuesOf(tensors)).toEqual(expected);
    }
  });

  it("a row of codes as the transposed matrix", async () => {
    const tensors = await exampleTensors();
    const expected = await valuesOf(tensors);
    tensors.set("w", { ...tensors.get("w")!, shape: [1, 128] });
    using weight = await loadNf4Weight(readerOf(tensors), "w", { device, shape: [64, 4] });
    expect(weight.shape).toEqual([64, 4]);
    using full = weight.dequantize("f32");
    using half = weight.dequantize("f16");
    const values = Array.from({ length: 256 }, (_, i) => expected[(i % 4) * 64 + Math.floor(i / 4)]!);
    expect([...(await full.read())]).toEqual(values);
    expect([...(await half.read())]).toEqual(values);
    expect(new Map(await nf4Tensors("w", weight)).get("w")!.shape).toEqual([1, 128]);
  });

  it.each([32, 128, 4096])("blocks of %i", async (blockSize) => {
    const tensors = await exampleTensors(false);
    const scales = Float32Array.from({ length: Math.ceil(256 / blockSize) }, (_, i) => i + 1);
    tensors.set("w.absmax", { dtype: "F32", shape: [scales.length], data: new Uint8Array(scales.buffer) });
    setState(tensors, JSON.stringify({ ...stateOf(tensors), blocksize: blockSize, dtype: "torch.float32" }));
    const values = await valuesOf(tensors);
    expect([values[0], values[192], values[255]]).toEqual([-1, -scales[Math.floor(192 / blockSize)]!, scales.at(-1)]);
  });

  it("a table of codes of its own", async () => {
    const tensors = await exampleTensors(false);
    const codes = Float32Array.from({ length: 16 }, (_, i) => (i - 8) / 8);
    tensors.set("w.quant_map", { dtype: "F32", shape: [16], data: new Uint8Array(codes.buffer) });
    const values = await valuesOf(tensors);
    expect([values[0], values[255]]).toEqual(
      [-0.24609375, 0.984375 * 0.875].map((value) => Math.fround(value)).map((value, i) => (i ? 0.859375 : value)),
    );
  });

  it("NaN and infinity among the scales: their blocks come out so", async () => {
    const tensors = await exampleTensors(false);
    const scales = Float32Array.of(NaN, 1, Infinity, 1);
    tensors.set("w.absmax", { dtype: "F32", shape: [4], data: new Uint8Array(scales.buffer) });
    const values = await valuesOf(tensors);
    expect(values.slice(0, 64)).toEqual(new Array<number>(64).fill(NaN));
    expect([values[64], values[127], values[128], values[128 + 32], values[191], values[192]]).toEqual([
      -1,
      1,
      -Infinity,
      NaN,
      Infinity,
      -1,
    ]);
    const nested = await exampleTensors();
    const offset = new Map(nested);
    setState(offset, JSON.stringify(stateOf(nested)).replace(/0\.4614\d+/, "NaN")); // as Python writes it
    expect(await valuesOf(offset)).toEqual(new Array<number>(256).fill(NaN));
    using weight = await loadNf4Weight(readerOf(offset), "w", { device });
    expect(new TextDecoder().decode(new Map(await nf4Tensors("w", weight)).get(stateName)!.data)).toMatch(/"nested_offset": NaN\}$/);
    nested.set("w.nested_absmax", { dtype: "F32", shape: [1], data: new Uint8Array(Float32Array.of(NaN).buffer) });
    expect(await valuesOf(nested)).toEqual(new Array<number>(256).fill(NaN));
  });
});

describe("refuses, naming the tensor", () => {
  const floats = (count: number, value = 1): { dtype: string; shape: number[]; data: Uint8Array } => ({
    dtype: "F32",
    shape: [count],
    data: new Uint8Array(new Float32Array(count).fill(value).buffer),
  });
  const bytes = (count: number): { dtype: string; shape: number[]; data: Uint8Array } => ({
    dtype: "U8",
    shape: [count],
    data: new Uint8Array(count),
  });
  const change =
    (fields: Record<string, unknown>) =>
    (tensors: Companions): void =>
      setState(tensors, JSON.stringify({ ...stateOf(tensors), ...fields }));
  const cases: [what: string, spoil: (tensors: Companions) => void, message: string][] = [
    [
      "JSON that is none",
      (t) => setState(t, "{'quant_type'"),
      `readQuantState: ${stateName}: is not JSON in UTF-8; expected an object, got 13 bytes`,
    ],
    [
      "bytes that are no UTF-8",
      (t) => t.set(stateName, { dtype: "U8", shape: [2], data: Uint8Array.of(255, 254) }),
      "is not JSON in UTF-8",
    ],
    ["JSON that is no object", (t) => setState(t, "[1]"), "expected a JSON object, got [1]"],
    ["JSON of another dtype", (t) => t.set(stateName, floats(4)), `${stateName}: has the wrong dtype; expected U8, got F32`],
    ["a novel", (t) => t.set(stateName, bytes(70_000)), "expected at most 65536 bytes of JSON, got 70000"],
    ["another quant type", change({ quant_type: "fp4" }), 'quant_type is wrong; expected "nf4", got "fp4"'],
    ["a blocksize of 48", change({ blocksize: 48 }), "blocksize is wrong; expected a power of two from 32 to 4096, got 48"],
    ["a blocksize as text", change({ blocksize: "64" }), 'got "64"'],
    [
      "a blocksize that is not the file's",
      change({ blocksize: 128 }),
      "w.absmax: has the wrong length; expected 2 bytes of U8, got 4 as [4]",
    ],
    ["a dtype of integers", change({ dtype: "int8" }), 'dtype is wrong; expected float32, float16, bfloat16, got "int8"'],
    ["a shape of one size", change({ shape: [256] }), "shape is wrong; expected two positive sizes, got [256]"],
    ["a negative shape", change({ shape: [-4, -64] }), "got [-4,-64]"],
    ["a gigantic shape", change({ shape: [2 ** 30, 2 ** 30] }), "shape is too large; expected at most 2147483648 elements"],
    ["a shape that is not the file's", change({ shape: [8, 64] }), "nf4: w: expected 256 bytes for 512 codes, got 128 as U8 [128, 1]"],
    ["a nested blocksize of 128", change({ nested_blocksize: 128 }), "nested_blocksize is wrong; expected 256, got 128"],
    ["nested scales in f16", change({ nested_dtype: "float16" }), 'nested_dtype is wrong; expected "float32", got "float16"'],
    ["no nested offset", change({ nested_offset: null }), "nested_offset is wrong; expected a number that f32 holds, got null"],
    ["a nested offset past f32", change({ nested_offset: 1e300 }), "nested_offset is wrong; expected a number that f32 holds, got 1e+300"],
    ["a nested offset past f64", (t) => setState(t, JSON.stringify(stateOf(t)).replace(/0\.4614\d+/, "1e999")), "nested_offset is wrong"],
    ["a nested offset as text", change({ nested_offset: "0.5" }), 'nested_offset is wrong; expected a number that f32 holds, got "0.5"'],
    [
      "a shape past f64",
      (t) => setState(t, JSON.stringify(stateOf(t)).replace("[4,64]", "[4,1e999]")),
      "shape is wrong; expected two positive sizes",
    ],
    ["no scales", (t) => t.delete("w.absmax"), "nf4: w.absmax: is missing from the checkpoint"],
    ["no codes", (t) => t.delete("w"), "nf4: w: is missing from the checkpoint"],
    ["no table", (t) => t.delete("w.quant_map"), "nf4: w.quant_map: is missing from the checkpoint"],
    ["no nested scales", (t) => t.delete("w.nested_absmax"), "nf4: w.nested_absmax: is missing from the checkpoint"],
    ["no nested table", (t) => t.delete("w.nested_quant_map"), "nf4: w.nested_quant_map: is missing from the checkpoint"],
    ["too many scales", (t) => t.set("w.absmax", bytes(5)), "nf4: w.absmax: has the wrong length; expected 4 bytes of U8, got 5 as [5]"],
    [
      "f32 scales where nested ones are meant",
      (t) => t.set("w.absmax", floats(4)),
      "nf4: w.absmax: has the wrong dtype; expected U8, got F32",
    ],
    [
      "too few nested scales",
      (t) => t.set("w.nested_absmax", floats(0)),
      "nf4: w.nested_absmax: has the wrong length; expected 4 bytes of F32, got 0 as [0]",
    ],
    [
      "a table of 15",
      (t) => t.set("w.quant_map", floats(15)),
      "nf4: w.quant_map: has the wrong length; expected 64 bytes of F32, got 60 as [15]",
    ],
    [
      "a table without order",
      (t) => t.set("w.quant_map", floats(16)),
      "nf4: w.quant_map: entry 1 is wrong; expected finite values in ascending order, got 1",
    ],
    [
      "a table with NaN",
      (t) => t.set("w.nested_quant_map", floats(256, NaN)),
      "nf4: w.nested_quant_map: entry 0 is wrong; expected finite values in ascending order, got NaN",
    ],
    [
      "codes as a square",
      (t) => t.set("w", { ...t.get("w")!, shape: [8, 16] }),
      "nf4: w: expected one column of packed codes, got U8 [8, 16]",
    ],
    [
      "two quant states",
      (t) => t.set("w.quant_state.bitsandbytes__fp4", t.get(stateName)!),
      `nf4: w.quant_state.bitsandbytes__fp4: contradicts ${stateName}; expected one quant state, got two; repair the checkpoint`,
    ],
    [
      "FP4",
      (t) => {
        t.set("w.quant_state.bitsandbytes__fp4", t.get(stateName)!);
        t.delete(stateName);
      },
      'nf4: w.quant_state.bitsandbytes__fp4: quant type is not supported; expected nf4, got fp4; quantise the 16-bit model with bnb_4bit_quant_type "nf4"',
    ],
  ];
  it.each(cases)("%s", async (_what, spoil, message) => {
    const tensors = await exampleTensors();
    spoil(tensors);
    const loading = loadNf4Weight(readerOf(tensors), "w", { device });
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toMatchObject({ code: "NF4_FORMAT", tensor: expect.stringMatching(/^w/) as string });
  });

  it("a shape that the model does not expect", async () => {
    await expect(loadNf4Weight(readerOf(await exampleTensors()), "w", { device, shape: [64, 4] })).rejects.toThrow(
      "loadNf4Weight: w contradicts the model; expected [64, 4], got [4, 64]",
    );
  });

  it("a stream that ends early, and one that is stopped", async () => {
    const reader = readerOf(await exampleTensors());
    const short = { ...reader, stream: () => reader.stream("w.absmax") };
    await expect(loadNf4Weight(short, "w", { device })).rejects.toThrow("ended early; expected 128 bytes, got 4");
    const controller = new AbortController();
    const options = { device, signal: controller.signal, onBytes: () => controller.abort(new Error("enough")) };
    await expect(loadNf4Weight(reader, "w", options)).rejects.toThrow("enough");
  });
});

it("numbers are spelt as Python spells them", async () => {
  const { pythonFloat } = await import("./state-json.js");
  const spelt = [1, -0, 0, 0.5, 1e-5, 1.5e-7, 0.0001, 123_456_789, 1e16, 1e15, 1.2345e22, -2.5, 0.1, Math.fround(0.1)].map(pythonFloat);
  expect(spelt).toEqual(
    "1.0 -0.0 0.0 0.5 1e-05 1.5e-07 0.0001 123456789.0 1e+16 1000000000000000.0 1.2345e+22 -2.5 0.1 0.10000000149011612".split(" "),
  );
  for (const value of randomNumbers(100)) expect(Number(pythonFloat(value))).toBe(value);
});
