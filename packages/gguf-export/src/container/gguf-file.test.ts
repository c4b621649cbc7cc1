import { BoundsError, bytesSource, type ByteSource, SourceError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { exampleFile, hex, sha256 } from "../testing/conformance.js";
import { GGML_TYPES, type GgmlType } from "../ggml-types.js";
import { type GgufFile, openGguf } from "./gguf-file.js";
import type { MetadataValue } from "./metadata.js";
import { encodeGguf } from "./writer.js";

const open = (bytes: Uint8Array): Promise<GgufFile> => openGguf(bytesSource(bytes, "model.gguf"));

/** Every type of value, and the borders of those that have some. */
const everyValue: [string, MetadataValue][] = [
  ["u8", { type: "u8", value: 255 }],
  ["i8", { type: "i8", value: -128 }],
  ["u16", { type: "u16", value: 65535 }],
  ["i16", { type: "i16", value: -32768 }],
  ["u32", { type: "u32", value: 4294967295 }],
  ["i32", { type: "i32", value: -2147483648 }],
  ["f32", { type: "f32", value: Math.fround(1e-6) }],
  ["f32.nan", { type: "f32", value: NaN }],
  ["bool", { type: "bool", value: true }],
  ["string", { type: "string", value: "\ufeffé 你好 😀\n" }],
  ["string.empty", { type: "string", value: "" }],
  ["u64", { type: "u64", value: 2n ** 64n - 1n }],
  ["i64", { type: "i64", value: -(2n ** 63n) }],
  ["f64", { type: "f64", value: Math.PI }],
  ["of.u8", { type: "array", of: "u8", value: Uint8Array.of(1, 2, 3) }],
  ["of.i8", { type: "array", of: "i8", value: Int8Array.of(-1) }],
  ["of.u16", { type: "array", of: "u16", value: Uint16Array.of(1, 65535) }],
  ["of.i16", { type: "array", of: "i16", value: Int16Array.of(-1) }],
  ["of.u32", { type: "array", of: "u32", value: Uint32Array.of(7) }],
  ["of.i32", { type: "array", of: "i32", value: Int32Array.of(-7, 7) }],
  ["of.f32", { type: "array", of: "f32", value: Float32Array.of(0.5, -Infinity) }],
  ["of.f64", { type: "array", of: "f64", value: Float64Array.of(0.1) }],
  ["of.u64", { type: "array", of: "u64", value: BigUint64Array.of(2n ** 63n) }],
  ["of.i64", { type: "array", of: "i64", value: BigInt64Array.of(-1n) }],
  ["of.bool", { type: "array", of: "bool", value: [true, false] }],
  ["of.string", { type: "array", of: "string", value: ["", "Ġthe", "[PAD3]"] }],
  ["of.nothing", { type: "array", of: "string", value: [] }],
];

describe("openGguf", () => {
  it("reads the format's example, and writes it again", async () => {
    const file = await open(exampleFile);
    expect([file.version, file.alignment]).toEqual([3, 32]);
    expect([...file.metadata]).toEqual([
      ["general.architecture", { type: "string", value: "qwen2" }],
      ["qwen2.block_count", { type: "u32", value: 28 }],
      ["tokenizer.ggml.add_bos_token", { type: "bool", value: true }],
      ["tokenizer.ggml.tokens", { type: "array", of: "string", value: ["a", "é"] }],
      ["tokenizer.ggml.token_type", { type: "array", of: "i32", value: Int32Array.of(1, 3) }],
    ]);
    expect([...file.tensors.values()]).toEqual([
      { name: "output_norm.weight", type: "F32", shape: [3], byteOffset: 384, byteLength: 12 },
      { name: "token_embd.weight", type: "F16", shape: [3, 2], byteOffset: 416, byteLength: 12 },
    ]);
    expect(hex(await file.read("token_embd.weight"))).toBe("003c004000bc00005535ff7b");
    const tensors = await Promise.all([...file.tensors.values()].map(async (info) => ({ ...info, data: await file.read(info.name) })));
    expect(sha256(await encodeGguf({ metadata: file.metadata, tensors }))).toBe(sha256(exampleFile));
  });

  it("keeps every type of value, to the bit", async () => {
    const written = await encodeGguf({ metadata: everyValue, tensors: [] });
    const { metadata, tensors } = await open(written);
    expect([...metadata]).toEqual(everyValue);
    expect(tensors.size).toBe(0);
    expect(hex(await encodeGguf({ metadata, tensors: [] }))).toBe(hex(written));
  });

  it("keeps every type of tensor, at any alignment", async () => {
    for (const alignment of [undefined, 8, 4096]) {
      const metadata: [string, MetadataValue][] = alignment === undefined ? [] : [["general.alignment", { type: "u32", value: alignment }]];
      const tensors = (Object.keys(GGML_TYPES) as GgmlType[]).map((type, index) => {
        const { blockValues, blockBytes } = GGML_TYPES[type];
        return { name: `t.${type}`, type, shape: [2, 3, blockValues], data: new Uint8Array(6 * blockBytes).fill(index + 1) };
      });
      const file = await open(await encodeGguf({ metadata, tensors }));
      expect(file.alignment).toBe(alignment ?? 32);
      for (const { name, type, shape, data } of tensors) {
        const info = file.tensors.get(name)!;
        expect(info.byteOffset % file.alignment).toBe(0);
        expect([info.type, info.shape, hex(await file.read(name))]).toEqual([type, shape, hex(data)]);
      }
    }
  });

  it("streams whole blocks, and gives ranges", async () => {
    const data = Uint8Array.from({ length: 10 * 18 }, (_, i) => i);
    const file = await open(await encodeGguf({ metadata: [], tensors: [{ name: "a", type: "Q4_0", shape: [5, 64], data }] }));
    const chunks: string[] = [];
    for await (const chunk of file.stream("a", 60)) chunks.push(hex(chunk));
    expect(chunks.map((chunk) => chunk.length / 2)).toEqual([54, 54, 54, 18]);
    expect(chunks.join("")).toBe(hex(data));
    expect(hex(await file.readRange("a", 18, 20))).toBe("1213");
    await expect(file.readRange("a", 0, 181)).rejects.toThrow(/expected 0 ≤ start ≤ end ≤ 180 bytes, got \[0, 181\)/);
    await expect(file.stream("a", 17).next()).rejects.toThrow(BoundsError);
    await expect(file.read("b")).rejects.toThrow(/model\.gguf has no tensor "b"; expected one of its 1 \(a, …\)/);
  });

  it("takes a header longer than a window, in few reads", async () => {
    const tokens = Array.from({ length: 200_000 }, (_, id) => `token${id}`);
    const bytes = await encodeGguf({ metadata: [["tokens", { type: "array", of: "string", value: tokens }]], tensors: [] });
    let reads = 0;
    const source: ByteSource = { byteLength: bytes.byteLength, slice: async (start, end) => ((reads += 1), bytes.subarray(start, end)) };
    expect((await openGguf(source)).metadata.get("tokens")).toEqual({ type: "array", of: "string", value: tokens });
    expect(reads).toBeLessThan(8);
  });

  it("disposes its source once, and tells where bytes are missing", async () => {
    let disposed = 0;
    const source = { ...bytesSource(exampleFile, "x.gguf"), dispose: () => void (disposed += 1) };
    await (await openGguf(source)).dispose();
    expect(disposed).toBe(1);
    const short: ByteSource = { name: "x.gguf", byteLength: 448, slice: async (start, end) => exampleFile.slice(start, end - 1) };
    await expect(openGguf(short)).rejects.toThrow(SourceError);
  });

  it("a last tensor may lack its padding, as other writers leave it", async () => {
    const file = await open(exampleFile.subarray(0, 428));
    expect(hex(await file.read("token_embd.weight"))).toBe("003c004000bc00005535ff7b");
  });
});
