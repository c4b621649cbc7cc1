import { bytesSource, BoundsError, FormatError, KtoError, SourceError, isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { MAX_HEADER_BYTES, MAX_JSON_VALUES } from "./limits.js";
import { openSafetensors } from "./safetensors-file.js";
import { collect, rawFile } from "./testing/fixtures.js";

const entry = (dtype: string, shape: string, begin: number | string, end: number | string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;
const one = (fields: string, data = 4): Uint8Array => rawFile(`{"x":${fields}}`, data);

/** What is wrong with a file, its bytes, and what the message must say. */
const hostile: Record<string, [bytes: Uint8Array, message: RegExp]> = {
  "empty file": [new Uint8Array(0), /too short .* expected at least 8 bytes, got 0/],
  "seven bytes": [new Uint8Array(7), /too short/],
  "header length beyond the file": [rawFile("{}", 0, 4096), /beyond the end of the file; expected at most 2, got 4096/],
  "header length of 2^64 − 1": [rawFile("{}", 0, 2n ** 64n - 1n), /beyond the end of the file; .* got 18446744073709551615/],
  "header of no bytes": [rawFile(""), /no JSON object/],
  "Git LFS pointer": [new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"), /Git LFS pointer/],
  "GGUF file": [Uint8Array.of(0x47, 0x47, 0x55, 0x46, 3, 0, 0, 0, 0x53, 1), /this is a GGUF file, .*; take the model's safetensors files/],
  "pickle in a zip archive": [Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0), /pickled weights, which run code when they are opened/],
  "bare pickle": [Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9), /pickled weights/],
  "invalid UTF-8": [rawFile(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)), /invalid UTF-8/],
  "byte order mark": [rawFile("\ufeff{}"), /no JSON object/],
  "array instead of an object": [rawFile("[1, 2]"), /no JSON object/],
  "number instead of an object": [rawFile("12345678"), /no JSON object/],
  "cut JSON": [rawFile('{"x":{"dtype":"F32",'), /not valid JSON/],
  "cut string": [rawFile('{"x'), /unterminated string/],
  "text after the JSON": [rawFile("{} {}"), /characters after the value/],
  "raw control character": [rawFile('{"a\nb":1}'), /control character/],
  "lone surrogate": [rawFile(`{"\\ud800":${entry("F32", "[1]", 0, 4)}}`, 4), /lone surrogate/],
  "deep nesting": [rawFile(`{"x":${"[".repeat(100_000)}`), /nesting deeper/],
  "huge count of values": [rawFile(`{"x":[${"0,".repeat(MAX_JSON_VALUES)}0]}`), /more than \d+ values/],
  "duplicate name": [rawFile(`{"x":${entry("F32", "[1]", 0, 4)},"x":${entry("F32", "[1]", 0, 4)}}`, 4), /duplicate key "x"/],
  "duplicate name, escaped": [rawFile(`{"x":${entry("F32", "[1]", 0, 4)},"\\u0078":${entry("F32", "[1]", 0, 4)}}`, 4), /duplicate key "x"/],
  "duplicate dtype": [one('{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}'), /duplicate key "dtype"/],
  "entry that is no object": [one("3"), /entry is no object; got 3/],
  "unknown dtype": [one(entry("F128", "[1]", 0, 4)), /tensor "x": unknown dtype; .* got "F128"/],
  "dtype from the prototype": [one(entry("constructor", "[1]", 0, 4)), /unknown dtype/],
  "no dtype": [one('{"shape":[1],"data_offsets":[0,4]}'), /unknown dtype; .* got nothing/],
  "wrong dtype for the bytes": [one(entry("F64", "[1]", 0, 4)), /expected 8 bytes for F64 \[1\], got 4/],
  "wrong shape for the bytes": [one(entry("F32", "[2]", 0, 4)), /expected 8 bytes for F32 \[2\], got 4/],
  "shape that is no array": [one(entry("F32", '"1"', 0, 4)), /bad shape/],
  "negative dimension": [one(entry("F32", "[-1]", 0, 4)), /bad shape/],
  "fractional dimension": [one(entry("F32", "[1.5]", 0, 4)), /bad shape/],
  "dimension of 2^53": [one(entry("F32", "[9007199254740992]", 0, 4)), /bad shape/],
  "dimension of 1e999": [one(entry("F32", "[1e999]", 0, 4)), /bad shape/],
  "product of dimensions beyond 2^53": [one(entry("F32", "[4294967296,4294967296,4294967296]", 0, 4)), /size cannot be counted/],
  "product that wraps to the right size in 64 bits": [one(entry("U8", "[4294967297,4294967297,4]", 0, 4)), /size cannot be counted/],
  "too many dimensions": [one(entry("F32", `[${Array(65).fill(1).join()}]`, 0, 4)), /bad shape; expected at most 64/],
  "half a byte": [one(entry("F4", "[3]", 0, 1), 1), /whole number of bytes/],
  "negative offset": [one(entry("F32", "[1]", -4, 0)), /bad data_offsets/],
  "offsets in reverse": [one(entry("F32", "[1]", 4, 0)), /bad data_offsets/],
  "offsets beyond 2^53": [one(entry("U8", "[0]", "9007199254740991", "9007199254740991")), /bad data_offsets/],
  "three offsets": [one('{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}'), /bad data_offsets/],
  "offsets beyond the file": [
    one(entry("F32", "[2]", 0, 8)),
    /tensor "x": ends beyond the file; expected at most 4 bytes of data, got 8; .*truncated/,
  ],
  overlap: [
    rawFile(`{"a":${entry("F32", "[2]", 0, 8)},"b":${entry("F32", "[1]", 4, 8)}}`, 8),
    /tensor "b": overlaps "a"; expected it to begin at byte 8 of the data, got 4/,
  ],
  "two tensors on the same bytes": [rawFile(`{"a":${entry("F32", "[1]", 0, 4)},"b":${entry("F32", "[1]", 0, 4)}}`, 4), /overlaps/],
  hole: [
    rawFile(`{"a":${entry("F32", "[1]", 0, 4)},"b":${entry("F32", "[1]", 8, 12)}}`, 12),
    /tensor "b": leaves a hole after "a"; expected .* 4 .* got 8/,
  ],
  "hole at the front": [rawFile(`{"a":${entry("F32", "[1]", 4, 8)}}`, 8), /leaves a hole after the header/],
  "bytes after the last tensor": [one(entry("F32", "[1]", 0, 4), 12), /bytes after the last tensor; expected 4 bytes of data, got 12/],
  "empty tensor inside another": [rawFile(`{"a":${entry("F32", "[0]", 2, 2)},"b":${entry("F32", "[1]", 0, 4)}}`, 4), /overlaps/],
  "metadata that is no object": [rawFile('{"__metadata__":[]}'), /__metadata__ is no object/],
  "metadata value that is no string": [rawFile('{"__metadata__":{"step":1}}'), /__metadata__ "step" is no string; got 1/],
};

describe("hostile files", () => {
  for (const [what, [bytes, message]] of Object.entries(hostile)) {
    it(`refuses: ${what}`, async () => {
      const error: unknown = await openSafetensors(bytesSource(bytes, "bad.safetensors")).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(FormatError);
      expect(isKtoError(error)).toBe(true);
      const { message: text, code, source } = error as FormatError;
      expect(text).toMatch(message);
      expect(text).toMatch(/^openSafetensors: bad\.safetensors: /);
      expect({ code, source }).toEqual({ code: "FORMAT", source: "bad.safetensors" });
      expect(text.length).toBeLessThan(400);
    });
  }

  it("refuses a header over the limit before reading it", async () => {
    const prefix = new Uint8Array(8);
    new DataView(prefix.buffer).setBigUint64(0, BigInt(MAX_HEADER_BYTES) + 1n, true);
    const asked: number[] = [];
    const source = { byteLength: 2 ** 40, slice: async (start: number, end: number) => (asked.push(end - start), prefix) };
    await expect(openSafetensors(source)).rejects.toThrow(/header is too long; expected at most 100000000 bytes, got 100000001/);
    expect(asked).toEqual([8]);
  });

  it("refuses every truncation of a good file", async () => {
    const good = rawFile(`{"a":${entry("F32", "[2]", 0, 8)},"b":${entry("U8", "[3]", 8, 11)}}`, 11);
    await openSafetensors(bytesSource(good));
    for (let length = 0; length < good.byteLength; length++) {
      await expect(openSafetensors(bytesSource(good.subarray(0, length)))).rejects.toBeInstanceOf(KtoError);
    }
  });

  it("answers every flipped header byte with a FormatError or a well-formed file, nothing else", async () => {
    const good = rawFile(`{"__metadata__":{"a":"b"},"a":${entry("F32", "[2]", 0, 8)},"b":${entry("U8", "[3]", 8, 11)}}`, 11);
    for (let at = 0; at < good.byteLength - 11; at++) {
      for (const mask of [1, 2, 16, 128, 255]) {
        const bad = good.slice();
        bad[at]! ^= mask;
        const result = await openSafetensors(bytesSource(bad)).catch((error: unknown) => error);
        if (!(result instanceof FormatError)) expect(result).toHaveProperty("tensors");
      }
    }
  });

  it("reports a source that gives too few bytes", async () => {
    const source = { byteLength: 100, slice: async () => new Uint8Array(3) };
    await expect(openSafetensors(source)).rejects.toBeInstanceOf(SourceError);
  });
});

describe("well-formed files", () => {
  it("reads tensors in any header order, with unknown keys, unaligned", async () => {
    const data = Uint8Array.from({ length: 7 }, (_, i) => i);
    const file = await openSafetensors(
      bytesSource(
        rawFile(
          `{"b":${entry("F32", "[1]", 3, 7)},"__metadata__":null,"a":{"note":{"x":[1]},"dtype":"U8","shape":[3],"data_offsets":[0,3]}}  `,
          data,
        ),
      ),
    );
    expect([...file.tensors.keys()]).toEqual(["a", "b"]);
    const { data: bytes, dtype, shape } = await file.read("b");
    expect({ bytes: [...bytes], dtype, shape }).toEqual({ bytes: [3, 4, 5, 6], dtype: "F32", shape: [1] });
    expect(bytes.byteOffset % 8).toBe(0);
  });

  it("takes empty tensors anywhere between others, and scalars", async () => {
    const header = `{"none":${entry("F32", "[0,3]", 0, 0)},"s":${entry("F32", "[]", 0, 4)},"end":${entry("F16", "[0]", 4, 4)}}`;
    const file = await openSafetensors(bytesSource(rawFile(header, 4)));
    expect(file.tensors.get("s")?.byteLength).toBe(4);
    expect((await file.read("none")).data.byteLength).toBe(0);
    expect(await collect(file.stream("end"))).toEqual([]);
  });

  it("keeps a tensor and a metadata key called __proto__", async () => {
    const file = await openSafetensors(
      bytesSource(rawFile(`{"__metadata__":{"__proto__":"m"},"__proto__":${entry("U8", "[1]", 0, 1)}}`, 1)),
    );
    expect(file.tensors.has("__proto__")).toBe(true);
    expect(Object.entries(file.metadata)).toEqual([["__proto__", "m"]]);
  });

  it("reads ranges and streams within a tensor only", async () => {
    const data = Uint8Array.from({ length: 40 }, (_, i) => i);
    const file = await openSafetensors(
      bytesSource(rawFile(`{"a":${entry("U8", "[12]", 0, 12)},"b":${entry("F32", "[7]", 12, 40)}}`, data)),
    );
    expect([...(await file.readRange("b", 4, 8))]).toEqual([16, 17, 18, 19]);
    const chunks = await collect(file.stream("b", 15));
    expect(chunks.map((chunk) => chunk.byteLength)).toEqual([8, 8, 8, 4]);
    expect(chunks.flatMap((chunk) => [...chunk])).toEqual([...data.subarray(12)]);
    for (const [start, end] of [[-1, 4], [4, 29], [5, 4], [0.5, 4], [NaN, 4]] as const) await expect(file.readRange("b", start, end)).rejects.toBeInstanceOf(BoundsError); // prettier-ignore
    await expect(file.stream("b", 7).next()).rejects.toBeInstanceOf(BoundsError);
    await expect(file.read("c")).rejects.toThrow(/has no tensor "c"; expected one of its 2 \("a", "b"/);
  });
});
