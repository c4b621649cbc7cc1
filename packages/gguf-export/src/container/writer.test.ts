import { bytesSource, FormatError, memoryStore } from "@kto/core";
import { describe, expect, it } from "vitest";
import { hex } from "../testing/conformance.js";
import type { GgmlType } from "../ggml-types.js";
import { openGguf } from "./gguf-file.js";
import type { MetadataValue } from "./metadata.js";
import { encodeGguf, type GgufTensorToWrite, writeGguf } from "./writer.js";

const tensor = (change: Partial<GgufTensorToWrite> = {}): GgufTensorToWrite => ({
  name: "a",
  type: "F32",
  shape: [3],
  data: Float32Array.of(1, 2, 3),
  ...change,
});

const discard = { write: async (): Promise<void> => undefined };

describe("writeGguf", () => {
  it("takes tensors whole, when their turn comes, and in pieces: the same file", async () => {
    const values = Float32Array.from({ length: 12 }, (_, i) => i);
    const fileOf = (data: GgufTensorToWrite["data"]): Promise<Uint8Array> =>
      encodeGguf({ metadata: [], tensors: [tensor(), tensor({ name: "b", shape: [3, 4], data })] });
    const whole = hex(await fileOf(values));
    expect(hex(await fileOf(() => values))).toBe(whole);
    expect(hex(await fileOf(async () => values))).toBe(whole);
    async function* pieces(): AsyncGenerator<Float32Array> {
      yield values.subarray(0, 5);
      yield values.subarray(5, 5);
      yield values.subarray(5);
    }
    expect(hex(await fileOf(pieces))).toBe(whole);
  });

  it("makes one tensor after the other, and counts bytes", async () => {
    const events: string[] = [];
    const made = (name: string): GgufTensorToWrite => tensor({ name, data: () => (events.push(name), Float32Array.of(1, 2, 3)) });
    const sink = { write: async (bytes: Uint8Array) => void events.push(`${bytes.byteLength}`) };
    const progress: number[] = [];
    const total = await writeGguf(
      sink,
      { metadata: [], tensors: [made("a"), made("b")] },
      { onProgress: ({ writtenBytes, totalBytes }) => progress.push(writtenBytes / totalBytes) },
    );
    expect(events).toEqual(["96", "a", "12", "20", "b", "12", "20"]);
    expect(total).toBe(160);
    expect(progress.at(-1)).toBe(1);
  });

  it("writes into a store, where nothing is left of a write that failed", async () => {
    const store = memoryStore();
    await store.write("model.gguf", (sink) => writeGguf(sink, { metadata: [], tensors: [tensor()] }).then(() => undefined));
    const failing = tensor({ name: "b", data: () => Promise.reject(new Error("the GPU is gone")) });
    await expect(
      store.write("model.gguf", (sink) => writeGguf(sink, { metadata: [], tensors: [tensor(), failing] }).then(() => undefined)),
    ).rejects.toThrow("the GPU is gone");
    expect(await store.list()).toEqual([{ name: "model.gguf", kind: "file" }]);
    const source = (await store.open("model.gguf"))!;
    expect([...(await openGguf(source)).tensors.keys()]).toEqual(["a"]);
  });

  it("ends with the signal's reason, between pieces", async () => {
    const controller = new AbortController();
    let pieces = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        if (++pieces === 3) controller.abort(new Error("enough"));
        yield new Uint8Array(4);
      }
    }
    const write = writeGguf(discard, { metadata: [], tensors: [tensor({ shape: [1000], data: endless })] }, { signal: controller.signal });
    await expect(write).rejects.toThrow("enough");
    expect(pieces).toBe(3);
  });

  it("writes nothing for what is wrong, and names it", async () => {
    const long = "n".repeat(64);
    const value = (given: MetadataValue): [string, MetadataValue][] => [["k", given]];
    const cases: [metadata: [string, MetadataValue][], tensors: GgufTensorToWrite[], message: RegExp][] = [
      [[], [tensor(), tensor()], /two tensors have one name; expected "a" once/],
      [[], [tensor({ name: long })], /its name has another length than llama\.cpp takes; expected from 1 to 63 bytes, got 64/],
      [[], [tensor({ name: "é".repeat(32) })], /expected from 1 to 63 bytes, got 64/],
      [[], [tensor({ name: "" })], /from 1 to 63 bytes, got 0/],
      [[], [tensor({ name: "a\0" })], /its name is not well-formed/],
      [[], [tensor({ type: "IQ2_XXS" as GgmlType })], /unknown type; expected one of F32, .*, got IQ2_XXS/],
      [[], [tensor({ shape: [] })], /bad shape; expected from 1 to 4 whole numbers from 1, got \[\]/],
      [[], [tensor({ shape: [1, 1, 1, 1, 3] })], /bad shape/],
      [[], [tensor({ shape: [0] })], /bad shape/],
      [[], [tensor({ shape: [1.5] })], /bad shape/],
      [
        [],
        [tensor({ type: "Q4_K", shape: [256, 3] })],
        /its rows are no whole blocks; expected a last dimension that is a multiple of 256 for Q4_K/,
      ],
      [[], [tensor({ data: new Float32Array(2) })], /tensor "a": shape and data differ; expected 12 bytes for F32 \[3\], got 8/],
      [[["", { type: "u8", value: 1 }]], [], /key "" is not usable/],
      [[["a b", { type: "u8", value: 1 }]], [], /key "a b" is not usable/],
      [[...value({ type: "u8", value: 1 }), ...value({ type: "u8", value: 1 })], [], /a key is given twice; expected "k" once/],
      [value({ type: "u8", value: 256 }), [], /the value of k does not fit its type; expected a value of u8, got 256/],
      [value({ type: "u32", value: -1 }), [], /expected a value of u32, got -1/],
      [value({ type: "i32", value: 1.5 }), [], /expected a value of i32, got 1\.5/],
      [value({ type: "u16", value: NaN }), [], /expected a value of u16, got NaN/],
      [value({ type: "f32", value: 1e39 }), [], /expected a value of f32, got 1e\+39/],
      [value({ type: "u64", value: 2n ** 64n }), [], /expected a value of u64/],
      [value({ type: "u64", value: 1 as unknown as bigint }), [], /expected a bigint for u64, got 1/],
      [value({ type: "u32", value: "1" as unknown as number }), [], /expected a number for u32, got "1"/],
      [value({ type: "bool", value: 1 as unknown as boolean }), [], /expected true or false, got 1/],
      [value({ type: "string", value: 1 as unknown as string }), [], /expected a text, got 1/],
      [value({ type: "string", value: "a\0b" }), [], /is cut by readers; expected no zero/],
      [value({ type: "string", value: "\ud800" }), [], /no lone surrogate/],
      [value({ type: "string", value: "é".repeat(5_000_001) }), [], /is too long; expected at most 10000000 bytes/],
      [
        value({ type: "array", of: "i32", value: [1] as unknown as Int32Array }),
        [],
        /is no typed array of its type; expected Int32Array for i32/,
      ],
      [
        value({ type: "array", of: "array", value: [] } as unknown as MetadataValue),
        [],
        /has elements that llama\.cpp does not read; .* got "array"/,
      ],
      [
        value({ type: "toString", value: 1 } as unknown as MetadataValue),
        [],
        /has an unknown type; expected one of u8, .*, got "toString"/,
      ],
      [[["general.alignment", { type: "u32", value: 12 }]], [], /general\.alignment is not usable/],
      [[["general.alignment", { type: "u64", value: 32n }]], [], /general\.alignment is not usable; expected a u32/],
    ];
    for (const [metadata, tensors, message] of cases) {
      let written = 0;
      const sink = { write: async () => void (written += 1) };
      const error: unknown = await writeGguf(sink, { metadata, tensors }).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(FormatError);
      expect((error as Error).message).toMatch(message);
      expect(written).toBe(0);
    }
  });

  it("stops at a tensor that gives more or fewer bytes than its shape", async () => {
    const giving = (byteLength: number): Promise<number> =>
      writeGguf(discard, { metadata: [], tensors: [tensor({ data: () => new Uint8Array(byteLength) })] });
    await expect(giving(11)).rejects.toThrow(/shape and data differ; expected 12 bytes for F32 \[3\], got 11/);
    await expect(giving(13)).rejects.toThrow(/got 13/);
  });

  it("what is written is read again", async () => {
    const file = await encodeGguf({ metadata: [], tensors: [tensor()] });
    const read = await (await openGguf(bytesSource(file))).read("a");
    expect(hex(read)).toBe(hex(new Uint8Array(Float32Array.of(1, 2, 3).buffer)));
  });
});
