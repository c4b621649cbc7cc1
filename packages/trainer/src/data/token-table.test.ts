import type { DataRow } from "@kto/datasets";
import { describe, expect, it } from "vitest";
import { decodeIds, encodeIds } from "./id-bytes.js";
import { readJob, writeJob } from "./row-job.js";
import { lazyRows, mappedRows, selectedRows } from "./row-sequence.js";
import { numScoredTokens, type ScoredRow } from "./rows.js";
import { encodeRow, indexBytes, openTable, TableBuilder, type TokenTable } from "./token-table.js";
import { TokensInMemory } from "./token-cache.js";
import { Float } from "@kto/core";

const ids = [0, 1, 127, 128, 16_383, 16_384, 151_935, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER];

it("ids of every size come back from their bytes", () => {
  const bytes = encodeIds([ids, [], [5]]);
  expect(decodeIds(bytes, [ids.length, 0, 1])).toEqual([ids, [], [5]]);
  expect(encodeIds([[127]])).toHaveLength(1);
  expect(encodeIds([[128]])).toHaveLength(2);
});

const long = Array.from({ length: 700_000 }, (_, index) => (index * 7) % 151_936); // longer than a piece of memory
const rows: ScoredRow[] = [
  { promptIds: [1, 2, 3], completionIds: ids },
  { promptIds: [], completionIds: long },
  { promptIds: [7], completionIds: [8, 9, 10, 11, 12, 13, 14, 15, 16], scoredMask: [0, 1, 1, 0, 0, 0, 0, 0, 1] },
  { promptIds: [7], completionIds: [] },
];

describe("a table", () => {
  const bytes = new TokensInMemory();
  const builder = new TableBuilder(bytes);
  rows.forEach((row, place) => builder.add(place % 2 === 0 ? row : encodeRow(row), { place: 10 + place, label: place > 1 }));
  const index = builder.index();

  it.each<[string, () => TokenTable]>([
    ["as it was put together", () => builder.table()],
    ["as it is opened again", () => openTable(rows.length, index, bytes)],
  ])("gives its rows, %s", (_, open) => {
    const table = open();
    expect(rows.map((_row, at) => table.rowAt(at))).toEqual(rows);
    expect([...table.places]).toEqual([10, 11, 12, 13]);
    expect([...table.labels]).toEqual([0, 0, 1, 1]);
    expect(index.byteLength).toBe(indexBytes(rows.length));
  });

  it("has sketches of the same lengths, and as many scored tokens", () => {
    const table = builder.table();
    rows.forEach((row, at) => {
      const sketch = table.sketchAt(at);
      expect([sketch.promptIds.length, sketch.completionIds.length]).toEqual([row.promptIds.length, row.completionIds.length]);
      expect(numScoredTokens(sketch)).toBe(numScoredTokens(row));
    });
  });
});

it("lazy rows are what an array of them is", () => {
  const array = ["a", "b", "c", "d"];
  const lazy = lazyRows(
    4,
    (index) => array[index]!,
    () => "?",
  );
  expect([...lazy]).toEqual(array);
  for (const index of [0, 3, 4, -1, -5]) expect(lazy.at(index)).toBe(array.at(index));
  for (const [start, end] of [[0, 2], [1], [-2], [2, 1], [0, Infinity], [3, 9]])
    expect(lazy.slice(start, end)).toEqual(array.slice(start, end));
  expect(selectedRows(lazy, [3, 0]).map((row) => row)).toEqual(["d", "a"]);
  expect(selectedRows(lazy, [3, 0]).sketchAt!(0)).toBe("?");
  expect([...mappedRows(array, (row, index) => `${row}${index}`)]).toEqual(["a0", "b1", "c2", "d3"]);
});

describe("a row as text for a worker", () => {
  it.each<[DataRow]>([
    [
      {
        prompt: "a\u2028\ud83d",
        completion: [{ role: "assistant", content: null, tool_calls: [{ n: new Float(25), m: 25, k: 0.1, big: 7310582941637725184n }] }],
      },
    ],
    [{ prompt_ids: [1, 2], completion_ids: [3], tools: "[]", flag: true }],
  ])("comes back as it was", (job) => {
    expect(readJob(writeJob(job)!)).toEqual(job);
  });

  it.each<[string, DataRow]>([
    ["NaN", { a: [Number.NaN] }],
    ["−0", { a: -0 }],
    ["keys that are reordered", { a: { 10: 1 } }],
    ["a Map", { a: new Map([["10", 1]]) }],
    ["a typed array", { prompt_ids: new Int32Array(2) }],
    ["an object of a class", { a: new Date() }],
    ["a float of the size of an integer that is none exactly", { a: 1e300 }],
  ])("is refused for %s", (_, job) => {
    expect(writeJob(job)).toBeUndefined();
  });
});
