import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";

import { unpackerOf } from "./codecs.js";

const CODECS: Readonly<Record<string, number>> = { none: 0, snappy: 1, gzip: 2, lzo: 3, brotli: 4, hadoop: 5, zstd: 6, lz4: 7 };
const hex = (text: string): Uint8Array => Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
const unpacked = async (codec: string, packed: Uint8Array, size: number): Promise<Uint8Array> =>
  (await unpackerOf(CODECS[codec]!, "x.parquet", "c"))(packed, size);

const text = new TextEncoder().encode(`${"abcdefgh".repeat(20)}xyz`);
/** The text as pyarrow packs it. */
const PACKED: readonly [codec: string, packed: string][] = [
  ["snappy", "a3011c6162636465666768fe0800fe08005e08000878797a"],
  ["zstd", "28b52ffd20a395000058616263646566676878797a01009551850b"],
  ["lz4", "8f616263646566676808008350676878797a"],
  ["hadoop", "000000a3000000128f616263646566676808008350676878797a"],
  ["hadoop", "8f616263646566676808008350676878797a"], // a plain block, as some writers put there
];

describe("a page of 163 bytes", () => {
  it.each(PACKED)("from %s", async (codec, packed) => expect(await unpacked(codec, hex(packed), text.length)).toEqual(text));

  it.each(PACKED)("from %s: other sizes, and every cut and every change of a byte, end soon", async (codec, packed) => {
    const bytes = hex(packed);
    for (const size of [1, 162, 164, 1000]) await expect(unpacked(codec, bytes, size)).rejects.toThrow();
    for (let at = 0; at < bytes.length; at++) {
      for (const damaged of [bytes.slice(0, at), bytes.with(at, 255), bytes.with(at, 0), bytes.with(at, bytes[at]! ^ 16)]) {
        const result = await unpacked(codec, damaged, text.length).catch((cause: unknown) => cause);
        expect(result instanceof Error || (result as Uint8Array).length === text.length).toBe(true);
      }
    }
  });
});

describe("what means harm", () => {
  it.each<[string, string, Uint8Array]>([
    ["98,047 sequences in 18 bytes", "zstd", hex("28b52ffd20644d000000ffffff5400003401")],
    ["a window of two GB", "zstd", hex("28b52ffd00af0100006100")],
    ["100 MB of zeros", "gzip", gzipSync(new Uint8Array(100_000_000))],
    ["a literal that goes back", "snappy", hex("64fcfbffffff61")],
    ["a match before the beginning", "snappy", hex("640061fe0900")],
    ["a length of 255 bytes of 255", "lz4", new Uint8Array(256).fill(255)],
    ["a match before the beginning", "lz4", hex("1f61ffff01")],
  ])("%s of %s is refused at once", async (_what, codec, packed) => {
    const started = process.cpuUsage();
    await expect(unpacked(codec, packed, 100)).rejects.toThrow();
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(1000);
  });

  it("a codec that is not read is named, with the column", async () => {
    await expect(unpackerOf(CODECS["lzo"]!, "x.parquet", "prompt")).rejects.toMatchObject({
      code: "FORMAT",
      message: expect.stringMatching(
        /x\.parquet cannot be read here; expected pages compressed with snappy.*got lzo in column prompt; write it with compression="zstd"/,
      ),
    });
    await expect(unpackerOf(99, "x.parquet", "c")).rejects.toThrow("codec 99");
  });
});
