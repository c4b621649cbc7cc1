import { bytesSource } from "@kto/core";
import { describe, expect, it } from "vitest";

import { detectFileFormat, loadDataset } from "./index.js";

describe("loadDataset", () => {
  it.each([
    ["x.jsonl", '{"a": 1}'],
    ["x.ndjson", '{"a": 1}'],
    ["x.json", '[{"a": 1}]'],
    ["x.json", ' {"a": 1}\n'],
    ["x.csv", "a\n1\n"],
    ["x.csv", '"{a","b"\n1,2\n'],
    ["x.TSV", "a\tb\n1\t2\n"],
    ["x.tsv", "a\tb,c;d\n1\t2\n"],
    ["no extension", '{"a": 1}'],
    [undefined, '[{"a": 1}]'],
  ])("reads %s", async (name, text) => {
    expect(Object.values((await loadDataset(text, { name })).at(0))[0]).toBe(1);
  });

  it("refuses an empty file and one of an unknown kind", async () => {
    await expect(loadDataset("", { name: "x.jsonl" })).rejects.toThrow("x.jsonl is empty");
    await expect(loadDataset("hello", { name: "x.constructor" })).rejects.toThrow("the format of x.constructor is unknown");
  });
});

it.each([
  ["rows.csv", '{"a": 1}', "jsonl"],
  ["rows.csv", "[1] note,b\n", "csv"],
  ["rows.csv", "{a},b\n", "csv"],
  ["rows.txt", "prompt|label\n", "csv"],
  ["rows.txt", "prompt\tlabel\n", "tsv"],
  ["rows.json", "prompt\n", "json"],
  ["rows.parquet", "PAR1", "parquet"],
  ["rows.jsonl", "PAR1", "parquet"],
])("%s that begins with %j", async (name, text, format) => {
  expect(await detectFileFormat(bytesSource(new TextEncoder().encode(text)), name)).toBe(format);
});
