import { bytesSource, FormatError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { exampleFile } from "../testing/conformance.js";
import { openGguf } from "./gguf-file.js";
import type { MetadataValue } from "./metadata.js";
import { encodeGguf } from "./writer.js";

/** The example with bytes changed: numbers little-endian, of four bytes, bigints of eight. */
function changed(...changes: [at: number, value: number | bigint][]): Uint8Array {
  const bytes = exampleFile.slice();
  const view = new DataView(bytes.buffer);
  for (const [at, value] of changes) {
    if (typeof value === "bigint") view.setBigUint64(at, value, true);
    else view.setUint32(at, value, true);
  }
  return bytes;
}

const withValue = (value: MetadataValue): Promise<Uint8Array> => encodeGguf({ metadata: [["k", value]], tensors: [] });

// Where things lie in the example: version 4, counts 8 and 16, first key 24, its type 52; infos from 0x106.
const faults: Record<string, [() => Uint8Array | Promise<Uint8Array>, RegExp]> = {
  "an empty file": [() => new Uint8Array(0), /too short for a GGUF file; expected at least 24 bytes, got 0/],
  "another format": [() => changed([0, 0x04034b50]), /no GGUF file; expected it to begin with "GGUF", got bytes 50 4b 03 04/],
  "an old version": [() => changed([4, 1]), /another version of the format; expected 3, got 1/],
  "a big-endian file": [() => changed([4, 0x03000000]), /big-endian; expected little-endian/],
  "too many tensors": [
    () => changed([8, 2n ** 63n]),
    /the number of tensors is too large; expected at most 65536, got 9223372036854775808/,
  ],
  "more tensors than there is room for": [() => changed([8, 60000n]), /the file ends in the descriptions of tensors/],
  "too many keys": [() => changed([16, 65537n]), /the number of keys is too large/],
  "more keys than there is room for": [
    () => changed([16, 60000n]),
    /the file ends in the metadata; expected at least 840000 more bytes, got 424/,
  ],
  "a key of impossible length": [
    () => changed([24, 2n ** 40n]),
    /the length of key 0 is too large; expected at most 65535, got 1099511627776/,
  ],
  "a key that is longer than the file": [() => changed([24, 60000n]), /the file ends in key 0/],
  "an empty key": [() => changed([24, 0n]), /key 0 is empty/],
  "an unknown type": [
    () => changed([52, 13]),
    /the type of the value of "general\.architecture" is unknown; expected a number below 13, got 13/,
  ],
  "a text of impossible length": [
    () => changed([56, 2n ** 62n]),
    /the length of the value of "general\.architecture" is too large; expected at most 10000000/,
  ],
  "a text that is no UTF-8": [
    async () => {
      const bytes = await withValue({ type: "string", value: "ab" });
      bytes[24 + 9 + 4 + 8] = 0xff;
      return bytes;
    },
    /the value of "k" is no valid UTF-8/,
  ],
  "a boolean of two": [
    async () => {
      const bytes = await withValue({ type: "bool", value: true });
      bytes[24 + 9 + 4] = 2;
      return bytes;
    },
    /the value of "k" is no boolean; expected 0 or 1, got 2/,
  ],
  "an array of arrays": [
    async () => {
      const bytes = await withValue({ type: "array", of: "u8", value: Uint8Array.of(1) });
      bytes[24 + 9 + 4] = 9;
      return bytes;
    },
    /the value of "k" is an array of arrays/,
  ],
  "an array of more elements than we take": [
    async () => {
      const bytes = await withValue({ type: "array", of: "u8", value: Uint8Array.of(1) });
      new DataView(bytes.buffer).setBigUint64(24 + 9 + 8, 2n ** 32n, true);
      return bytes;
    },
    /the length of the value of "k" is too large; expected at most 4194304, got 4294967296/,
  ],
  "an array that claims more texts than there are bytes": [
    async () => {
      const bytes = await withValue({ type: "array", of: "string", value: ["a"] });
      new DataView(bytes.buffer).setBigUint64(24 + 9 + 8, 4_000_000n, true);
      return bytes;
    },
    /the file ends in the value of "k"; expected at least 32000000 more bytes/,
  ],
  "an alignment that is no power of two": [
    async () => {
      const bytes = await encodeGguf({ metadata: [["general.alignment", { type: "u32", value: 64 }]], tensors: [] });
      new DataView(bytes.buffer).setUint32(24 + 25 + 4, 48, true);
      return bytes;
    },
    /general\.alignment is not usable; expected a u32, a power of two from 8 to 65536, got .*48/,
  ],
  "a key twice": [
    async () => {
      const bytes = await encodeGguf({
        metadata: [
          ["a", { type: "u8", value: 1 }],
          ["b", { type: "u8", value: 1 }],
        ],
        tensors: [],
      });
      bytes[24 + 14 + 8] = 0x61;
      return bytes;
    },
    /a key is there twice; expected "a" once/,
  ],
  "no dimensions": [() => changed([0x122, 0]), /tensor "output_norm\.weight": expected from 1 to 4 dimensions, got 0/],
  "too many dimensions": [() => changed([0x122, 5]), /from 1 to 4 dimensions, got 5/],
  "an empty dimension": [() => changed([0x126, 0n]), /dimension 0 is empty/],
  "a dimension of 2^60": [() => changed([0x126, 2n ** 60n]), /tensor "output_norm\.weight": a dimension is too large/],
  "sizes that overflow": [() => changed([0x157, 2n ** 52n], [0x15f, 2n ** 52n]), /tensor "token_embd\.weight": its size cannot be/],
  "rows that are no whole blocks": [() => changed([0x12e, 8]), /its size cannot be; expected rows of whole blocks of 32 .* got Q8_0 \[3\]/],
  "a type that is not read here": [() => changed([0x12e, 16]), /has a type that is not read here; expected one of F32, .*, got number 16/],
  "a first tensor that does not begin at 0": [
    () => changed([0x132, 32n]),
    /"output_norm\.weight" does not follow the one before it; expected offset 0, got 32/,
  ],
  "an offset beyond the file": [() => changed([0x132, 2n ** 40n]), /its offset is too large/],
  "a tensor beyond the file": [
    () => changed([0x157, 2000n]),
    /tensor "token_embd\.weight" ends beyond the file; expected 12416 bytes, got 448/,
  ],
  "bytes after the last tensor": [() => Uint8Array.from([...exampleFile, 0]), /bytes after the last tensor; expected 448 bytes, got 449/],
};

describe("openGguf refuses", () => {
  it.each(Object.entries(faults))("%s", async (_, [make, message]) => {
    const error: unknown = await openGguf(bytesSource(await make(), "model.gguf")).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).message).toMatch(message);
    expect((error as FormatError).message).toMatch(/^openGguf: model\.gguf: /);
    expect((error as FormatError).source).toBe("model.gguf");
  });

  it("a file that was cut anywhere", async () => {
    for (let length = 0; length < 428; length++) {
      const error: unknown = await openGguf(bytesSource(exampleFile.subarray(0, length))).catch((caught: unknown) => caught);
      expect(error, `after ${length} bytes`).toBeInstanceOf(FormatError);
    }
  });

  it("or reads a file with any byte changed: no other error, no endless loop", async () => {
    for (let at = 0; at < exampleFile.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = exampleFile.slice();
        bytes[at]! ^= flip;
        const opened: unknown = await openGguf(bytesSource(bytes)).catch((caught: unknown) => caught);
        if (opened instanceof Error) expect(opened).toBeInstanceOf(FormatError);
      }
    }
  });
});
