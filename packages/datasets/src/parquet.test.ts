import { readFileSync } from "node:fs";
import { expect, it, vi } from "vitest";

import { readParquet, readParquetGroups } from "./index.js";

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

it("refuses what is not Parquet, what is cut off, and a table without rows", async () => {
  await expect(readParquet(new TextEncoder().encode("not a parquet file"), { name: "x.parquet" })).rejects.toMatchObject({
    code: "FORMAT",
    source: "x.parquet",
  });
  await expect(readParquet(bytesOf("rows.snappy.parquet").subarray(0, 900))).rejects.toMatchObject({ code: "FORMAT" });
  await expect(readParquet(bytesOf("empty.parquet"))).rejects.toThrow("holds no rows");
  const damaged = new Uint8Array(bytesOf("rows.zstd.parquet")).fill(0xff, 60, 400);
  await expect(readParquet(damaged)).rejects.toMatchObject({ code: "FORMAT" });
});
