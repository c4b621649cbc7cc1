import { readFileSync } from "node:fs";
import { Float, isFloat } from "@kto/core";
import { parquetWriteBuffer } from "hyparquet-writer";
import { describe, expect, it, vi } from "vitest";

import { ForeignValue, readParquet, readParquetGroups, textOf } from "./index.js";
import { tableFile, tagged, tableValues } from "./testing/tables.js";

const fixtures = new URL("../../testing/fixtures/", import.meta.url);
const bytesOf = (name: string): Uint8Array => readFileSync(new URL(`parquet/${name}`, fixtures));
const rows = readFileSync(new URL("kto/rows.jsonl", fixtures), "utf8")
  .trimEnd()
  .split("\n")
  .slice(0, 25)
  .map((line) => JSON.parse(line));

it.each(["none", "snappy", "zstd", "gzip"])("reads conversations compressed with %s", async (codec) => {
  const onProgress = vi.fn();
  expect((await readParquet(bytesOf(`rows.${codec}.parquet`), { onProgress })).toArray()).toEqual(rows);
  expect(onProgress.mock.calls.map(([progress]) => progress.rows)).toEqual([10, 20, 25]);
});

it("gives one row group at a time, reading each when it is asked for", async () => {
  const bytes = new Uint8Array(bytesOf("rows.none.parquet"));
  const slice = vi.fn(async (start: number, end: number) => bytes.slice(start, end));
  const readsBefore: number[] = [];
  let numRows = 0;
  for await (const group of readParquetGroups({ byteLength: bytes.byteLength, slice })) {
    expect(group).toEqual(rows.slice(numRows, numRows + 10));
    numRows += group.length;
    readsBefore.push(slice.mock.calls.length);
  }
  expect(readsBefore).toEqual([...new Set(readsBefore)]); // each group was read after the one before it was given out
});

it("reads integers as numbers where exact, nulls, lists and structs", async () => {
  expect((await readParquet(bytesOf("types.parquet"))).toArray()).toEqual([
    { label: 1, large: 2n ** 60n + 1n, ids: [1, 2], ratio: 0.5, text: "a", nested: { a: [1], b: "x" } },
    { label: 0, large: 7, ids: [], ratio: null, text: "日本", nested: { a: null, b: null } },
    { label: 1, large: null, ids: null, ratio: 2, text: null, nested: null },
  ]);
});

describe("values", () => {
  it.each(["dictionary", "plain", "v2", "deltas", "old", "snappy", "zstd", "gzip", "brotli", "lz4"])(
    "are those of Python: %s",
    async (name) => {
      const expected = tableValues("main");
      const dataset = await readParquet(tableFile(`main.${name}.parquet`));
      expect(dataset.length).toBe(expected.length);
      for (const [index, row] of dataset.toArray().entries()) {
        const like = { dict: expected[index]!.dict.filter(([column]) => dataset.columnNames.includes(column)) };
        expect(tagged(row, like)).toEqual(like);
      }
    },
  );

  it.each(["types", "types.inside", "calls"])("that JSON does not have are Python's text: %s", async (name) => {
    const expected = tableValues(name);
    const rows = (await readParquet(tableFile(`${name}.parquet`))).toArray();
    expect(rows.map((row, index) => tagged(row, expected[index]!))).toEqual(expected);
  });

  it("keep floats apart inside structs only, and say what they are where they are no text", async () => {
    const { float, struct, map } = (await readParquet(tableFile("main.dictionary.parquet"))).at(4) as Record<string, unknown>;
    expect(float).toBe(25);
    expect(struct).toEqual(
      new Map<string, unknown>([
        ["2", new Float(25)],
        ["1", { x: [new Float(1), 2.5] }],
      ]),
    );
    expect(isFloat((struct as Map<string, unknown>).get("2"))).toBe(true);
    expect(map).toBeNull();
    const { us, bytes } = (await readParquet(tableFile("types.parquet"))).at(0) as Record<string, ForeignValue>;
    expect(us).toEqual(new ForeignValue("timestamp[us]", "2024-01-02 03:04:05.000678"));
    expect(bytes).toMatchObject({ type: "binary", text: `b"\\xff\\x00'a\\n"` });
    expect(() => textOf({ prompt: us }, "prompt", 3)).toThrow(/row 3.*prompt.*timestamp\[us\]/);
  });

  it("are the same when pages were dropped and unpacked again", async () => {
    const texts = Array.from({ length: 400 }, (_, index) => String.fromCharCode(97 + (index % 26)).repeat(300_000) + index);
    const file = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "text", data: texts, type: "STRING" }], rowGroupSize: 20 }));
    const dataset = await readParquet(file); // 120 MB of text in a file of less
    for (const index of [0, 399, 1, 200, 398, 0]) expect(dataset.at(index)).toEqual({ text: texts[index] });
    let rows = 0;
    for (const { text } of dataset) if (text === texts[rows]) rows += 1;
    expect(rows).toBe(400);
  });
});

describe("what cannot be read", () => {
  const whole = tableFile("main.snappy.parquet");
  const changed = (at: number, ...bytes: number[]): Uint8Array => {
    const copy = whole.slice();
    copy.set(bytes, at < 0 ? copy.length + at : at);
    return copy;
  };
  it.each<[string, Uint8Array, string]>([
    [
      "another file",
      new TextEncoder().encode("not a parquet file"),
      "x.parquet is not a Parquet file; expected one that begins and ends with PAR1",
    ],
    ["its head only", whole.subarray(0, 4), "x.parquet is cut off"],
    [
      "cut off at its end",
      whole.subarray(0, 900),
      "x.parquet is cut off; expected a Parquet file, which ends with PAR1, got one of 900 bytes that begins so and ends otherwise; download it",
    ],
    ["cut off at its beginning", whole.subarray(1500), "x.parquet is damaged"],
    ["a footer that is too long", changed(-8, 0xff, 0xff, 0xff, 0x7f), "the footer: it says that it has 2147483647 bytes, in a file of"],
    ["a footer without bytes", changed(-8, 0, 0, 0, 0), "the footer: it says that it has 0 bytes"],
    ["an encrypted footer", changed(-4, ...new TextEncoder().encode("PARE")), "without encryption"],
    ["a negative count of columns", tableFile("hostile.negative-children.parquet"), '"l" of the schema has -1 columns'],
    ["a run without end", tableFile("hostile.rle-endless.parquet"), "column completion of row group 1, page 0: 16 numbers are expected"],
    ["a run of two thousand million", tableFile("hostile.rle-run.parquet"), "column n of row group 0, page 0"],
    ["thirty million nulls", tableFile("bomb.nulls.parquet"), "x.parquet becomes too large (column a of row group 0)"],
    ["twenty million rows", tableFile("bomb.rows.parquet"), "to hold 4209232 values at most, nulls included"],
    ["90 MB from brotli", tableFile("bomb.brotli.parquet"), "x.parquet becomes too large"],
    ["90 MB from zstd", tableFile("bomb.zstd.parquet"), "x.parquet becomes too large"],
    ["a page of 200 MB", tableFile("bomb.page.parquet"), "pages of 100663296 bytes at most, unpacked, got 2000000"],
  ])("%s", async (_what, bytes, message) => {
    const error = await readParquet(bytes, { name: "x.parquet" }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "FORMAT", source: "x.parquet", message: expect.stringContaining(message) });
  });

  it("a table without rows, and pages that are damaged", async () => {
    await expect(readParquet(bytesOf("empty.parquet"))).rejects.toThrow("holds no rows");
    for (const codec of ["snappy", "gzip", "zstd", "none"]) {
      const damaged = new Uint8Array(bytesOf(`rows.${codec}.parquet`)).fill(0xff, 60, 400);
      await expect(readParquet(damaged, { name: "x.parquet" })).rejects.toMatchObject({
        code: "FORMAT",
        message: expect.stringContaining("of row group 0"),
      });
    }
  });
});
