import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";

import { loadDataset } from "../index.js";
import { compressed } from "../testing/text-cases.js";

const bytesOf = (name: keyof typeof compressed): Uint8Array => Uint8Array.from(Buffer.from(compressed[name], "base64"));
const rowsOf = async (bytes: Uint8Array): Promise<unknown[]> => (await loadDataset(bytes, { name: "rows" })).toArray();
const joined = (...parts: (Uint8Array | number[])[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));

const lines = Array.from({ length: 5000 }, (_, id) => JSON.stringify({ id, text: `é ${(id * 7919) % 1000}` })).join("\n");
const files: [string, Uint8Array][] = [
  ["gzip", Uint8Array.from(gzipSync(await textOf("rows.jsonl.zst")))],
  ["zstd", bytesOf("rows.jsonl.zst")],
  ["bzip2", bytesOf("rows.jsonl.bz2")],
];

/** The text that was compressed, from its rows. */
async function textOf(name: keyof typeof compressed): Promise<string> {
  return (await rowsOf(bytesOf(name))).map((row) => `${JSON.stringify(row)}\n`).join("");
}

describe.each(files)("%s", (kind, file) => {
  it("of several parts is read whole", async () => {
    const rows = await rowsOf(file);
    expect(rows).toHaveLength(4);
    expect(await rowsOf(joined(file, file, file))).toEqual([...rows, ...rows, ...rows]);
  });

  it("that is cut off anywhere is refused", async () => {
    for (let length = 20; length < file.length; length++) {
      await expect(rowsOf(file.slice(0, length)), String(length)).rejects.toMatchObject({
        code: "FORMAT",
        message: expect.stringMatching(
          `read: rows cannot be decompressed; expected a complete ${kind} file, got one of which the decoder says ".*"; `,
        ),
      });
    }
  });

  it("that is changed anywhere never gives other rows", async () => {
    const rows = await rowsOf(file);
    for (let at = 4; at < file.length; at++) {
      const changed = file.slice();
      changed[at]! ^= 0x10;
      const result = await rowsOf(changed).catch((error: { code: string }) => error);
      if (Array.isArray(result)) expect(result).toEqual(rows);
      else expect(result).toMatchObject({ code: expect.stringMatching(/^(FORMAT|DATA_FILE)$/) });
    }
  });

  it("followed by something else is refused", async () => {
    await expect(rowsOf(joined(file, [...Buffer.from("something else")]))).rejects.toMatchObject({ code: "FORMAT" });
  });
});

it("a large text comes through in pieces", async () => {
  const rows = await rowsOf(gzipSync(lines));
  expect(rows).toEqual(lines.split("\n").map((line) => JSON.parse(line) as unknown));
});

it("zstd: frames to skip are skipped, windows and dictionaries are refused with what to do", async () => {
  const file = bytesOf("rows.jsonl.zst");
  expect(await rowsOf(joined([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3], file))).toHaveLength(4);
  await expect(rowsOf(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0xa8, 1, 0, 0))).rejects.toThrow("compress it without --long=31");
  // 18 bytes that a decoder in JavaScript does not come back from
  await expect(rowsOf(Uint8Array.from(Buffer.from("28b52ffd20644d000000ffffff5400003401", "hex")))).rejects.toThrow("is damaged");
  await expect(rowsOf(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 1, 0x38, 5, 1, 0, 0))).rejects.toThrow("it needs a dictionary");
});

describe("what becomes too large is refused, whatever it holds", () => {
  const size = 2 ** 17;
  const run = [((size << 3) | 2) & 0xff, (size >> 5) & 0xff, size >> 13, 0x20]; // a block of one byte repeated
  it.each([
    ["gzip", Uint8Array.from(gzipSync(Buffer.alloc(2 ** 26, " ")))],
    ["zstd", joined([0x28, 0xb5, 0x2f, 0xfd, 0, 0x38], ...Array.from({ length: 600 }, () => run), [run[0]! | 1, ...run.slice(1)])],
    // 100 MB of blanks, by bzip2 -9
    [
      "bzip2",
      Uint8Array.from(
        Buffer.from(
          "QlpoOTFBWSZTWbUiZb8BX44QAMAAAAggADCATUZCoCWpCoCXMUFZJlNZtSJlvwFfjhAAwAAACCAAMIBNRkKgJakKgJcxQVkmU1nd2sHgAD7REALAAAABAAAggADDMCapppUiDaipEHi7kinChIMYvOMI=",
          "base64",
        ),
      ),
    ],
  ])("%s", async (kind, file) => {
    await expect(loadDataset(file, { name: "rows.jsonl" })).rejects.toThrow(
      /becomes too large; expected at most 200 times the \d+ bytes|becomes \d+ bytes, where \d+ are taken|more than the \d+ bytes that are taken/,
    );
    expect(file.length, kind).toBeLessThan(100_000);
  });
});
