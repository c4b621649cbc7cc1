import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bytesSource, FormatError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { DTYPES, byteSizeOf, isDtype } from "./dtype.js";
import { openSafetensors } from "./safetensors-file.js";
import { fixtureFiles, fixtures } from "./testing/fixtures.js";
import { type TensorToWrite, encodeSafetensors, writeSafetensors } from "./writer.js";

const f32 = (...values: number[]): TensorToWrite => ({ dtype: "F32", shape: [values.length], data: Float32Array.from(values) });

describe("byte identity with Python's writer", () => {
  for (const path of fixtureFiles()) {
    it(`of ${path}`, async () => {
      const expected = new Uint8Array(await readFile(join(fixtures, path)));
      const file = await openSafetensors(bytesSource(expected));
      const names = [...file.tensors.keys()].reverse(); // the order given must not matter
      const tensors = names.map((name): [string, TensorToWrite] => [
        name,
        { ...file.tensors.get(name)!, data: async () => (await file.read(name)).data },
      ]);
      const hasMetadata = new TextDecoder().decode(expected.subarray(8, 26)).startsWith('{"__metadata__"');
      const written = await encodeSafetensors(tensors, hasMetadata ? { metadata: file.metadata } : {});
      expect(Buffer.compare(written, expected)).toBe(0);
    });
  }

  it("covers every dtype that Python can write", async () => {
    const file = await openSafetensors(bytesSource(await readFile(join(fixtures, "safetensors/every-dtype.safetensors"))));
    const dtypes = [...file.tensors.values()].map(({ dtype }) => dtype);
    expect(dtypes).toEqual(DTYPES.filter((dtype) => !dtype.startsWith("F6_")).reverse());
    expect(file.metadata.format).toBe("pt");
  });
});

describe("writeSafetensors", () => {
  it("aligns every tensor to its element size, whatever the names", async () => {
    const dtypes = DTYPES.filter((dtype) => !/^F[46]/.test(dtype) || dtype === "F64");
    const tensors = dtypes.map((dtype, i): [string, TensorToWrite] => [
      `t${(i * 7) % 11}.${dtype}`,
      { dtype, shape: [3], data: new Uint8Array(3 * byteSizeOf(dtype)) },
    ]);
    const file = await openSafetensors(bytesSource(await encodeSafetensors(tensors, { metadata: { a: "odd length" } })));
    for (const { dtype, byteOffset } of file.tensors.values()) expect(byteOffset % byteSizeOf(dtype)).toBe(0);
    expect(file.tensors.size).toBe(dtypes.length);
  });

  it("asks for lazy tensors one at a time, in file order, and takes pieces", async () => {
    const events: string[] = [];
    const sizes: number[] = [];
    const lazy = (name: string, ...pieces: Uint8Array[]): [string, TensorToWrite] => [
      name,
      {
        dtype: "U8",
        shape: [pieces.reduce((sum, piece) => sum + piece.byteLength, 0)],
        async *data() {
          for (const piece of pieces) {
            events.push(`make ${name}`);
            yield piece;
          }
        },
      },
    ];
    const sink = { write: async (bytes: Uint8Array) => void events.push(`write ${bytes.byteLength}`) };
    const total = await writeSafetensors(
      sink,
      [lazy("b", new Uint8Array(3), new Uint8Array(0), new Uint8Array(4)), lazy("a", new Uint8Array(5))],
      {
        onProgress: ({ writtenBytes, totalBytes }) => sizes.push(writtenBytes, totalBytes),
      },
    );
    expect(events.slice(1)).toEqual(["make a", "write 5", "make b", "write 3", "make b", "make b", "write 4"]);
    expect(sizes.slice(-2)).toEqual([total, total]);
  });

  it("takes views that do not span their buffer", async () => {
    const numbers = Float32Array.of(1, 2, 3, 4);
    const file = await openSafetensors(
      bytesSource(await encodeSafetensors({ x: { dtype: "F32", shape: [2], data: numbers.subarray(1, 3) } })),
    );
    expect(new Float32Array((await file.read("x")).data.slice().buffer)).toEqual(Float32Array.of(2, 3));
  });

  it("keeps the bytes of a Buffer that is filled again for the next piece", async () => {
    async function* pieces(): AsyncGenerator<Buffer> {
      const buffer = Buffer.alloc(2);
      for (const value of [1, 2]) yield buffer.fill(value);
    }
    const written = await encodeSafetensors({ a: { dtype: "U8", shape: [4], data: pieces } });
    expect([...written.subarray(-4)]).toEqual([1, 1, 2, 2]);
  });

  it("writes metadata without tensors as valid JSON", async () => {
    const file = await openSafetensors(bytesSource(await encodeSafetensors({}, { metadata: { a: "b" } })));
    expect({ ...file.metadata, size: file.tensors.size }).toEqual({ a: "b", size: 0 });
  });

  const refused: Record<string, [tensors: Parameters<typeof writeSafetensors>[1], message: RegExp, metadata?: Record<string, string>]> = {
    "reserved name": [{ __metadata__: f32(1) }, /the format's own/],
    "lone surrogate": [{ "\ud800": f32(1) }, /lone surrogates/],
    "unknown dtype": [{ x: { ...f32(1), dtype: "F31" as "F32" } }, /unknown dtype; .* got F31/],
    "negative dimension": [{ x: { ...f32(1), shape: [-1] } }, /bad shape/],
    "countless elements": [{ x: { ...f32(1), shape: [2 ** 40, 2 ** 40] } }, /cannot be counted/],
    "wrong length": [{ x: { ...f32(1), shape: [2] } }, /tensor "x": shape and data differ; expected 8 bytes for F32 \[2\], got 4/],
    "one name twice": [[["x", f32(1)], ["x", { ...f32(1), dtype: "U32" }]], /two tensors have one name/], // prettier-ignore
    "metadata that is no string": [{}, /metadata "step" is no string/, { step: 1 as unknown as string }],
  };
  for (const [what, [tensors, message, metadata]] of Object.entries(refused)) {
    it(`refuses before the first byte: ${what}`, async () => {
      let written = 0;
      const sink = { write: async (bytes: Uint8Array) => void (written += bytes.byteLength) };
      const error: unknown = await writeSafetensors(sink, tensors, metadata && { metadata }).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(FormatError);
      expect((error as Error).message).toMatch(message);
      expect(written).toBe(0);
    });
  }

  it("refuses lazy data that is too short or too long", async () => {
    const x = { dtype: "F32", shape: [2] } as const;
    await expect(encodeSafetensors({ x: { ...x, data: () => new Float32Array(1) } })).rejects.toThrow(
      /expected 8 bytes for F32 \[2\], got 4/,
    );
    await expect(encodeSafetensors({ x: { ...x, data: async () => new Float32Array(3) } })).rejects.toThrow(/got 12/);
  });

  it("stops on an aborted signal with its reason", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const data = (): Uint8Array => (controller.abort(reason), new Uint8Array(1));
    await expect(encodeSafetensors({ x: { dtype: "U8", shape: [1], data } }, { signal: controller.signal })).rejects.toBe(reason);
  });

  it("knows its dtypes by name only", () => {
    expect([isDtype("BF16"), isDtype("bf16"), isDtype("toString"), isDtype(3)]).toEqual([true, false, false, false]);
  });
});
