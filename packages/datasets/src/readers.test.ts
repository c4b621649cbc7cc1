import type { ByteSource } from "@kto/core";
import { describe, expect, it, vi } from "vitest";

import { CsvParser } from "./csv-records.js";
import { loadDataset, readCsv, readJson, readJsonl } from "./index.js";

const rowsOf = async (dataset: Promise<Iterable<unknown>>): Promise<unknown[]> => [...(await dataset)];

describe("readJsonl", () => {
  it("reads text, bytes, a Blob and ranges alike", async () => {
    const text = '\uFEFF{"a": "日本"}\r\n\n{"a": "👍\u2028"}';
    const bytes = new TextEncoder().encode(text);
    const ranges: ByteSource = { byteLength: bytes.byteLength, slice: async (start, end) => bytes.slice(start, end) };
    for (const source of [text, bytes, bytes.buffer, new Blob([bytes]), ranges]) {
      expect(await rowsOf(readJsonl(source))).toEqual([{ a: "日本" }, { a: "👍\u2028" }]);
    }
  });

  it("joins lines and characters that lie across pieces, and reports progress", async () => {
    const lines = Array.from({ length: 30_000 }, (_, id) => JSON.stringify({ id, text: "é👍".repeat(20 + (id % 7)) }));
    const onProgress = vi.fn();
    const dataset = await readJsonl(lines.join("\n"), { onProgress });
    expect(dataset.toArray()).toEqual(lines.map((line) => JSON.parse(line)));
    const { loadedBytes, totalBytes, rows } = onProgress.mock.lastCall![0];
    expect([loadedBytes, rows]).toEqual([totalBytes, 30_000]);
    expect(onProgress.mock.calls.length).toBeGreaterThan(1);
  });

  it("names the line that is wrong", async () => {
    await expect(readJsonl('{"a": 1}\n\n{"a": \n', { name: "rows.jsonl" })).rejects.toMatchObject({
      code: "FORMAT",
      line: 3,
      source: "rows.jsonl",
      message: 'readJsonl: line 3 of rows.jsonl is not JSON; expected one JSON object, got {"a":; mend or remove that line',
    });
    await expect(readJsonl("[1]\n")).rejects.toThrow("line 1 of data is not an object; expected one JSON object, got [1]");
  });

  it("refuses an empty file, bytes that are not UTF-8, a source that ends early, and stops when told", async () => {
    await expect(readJsonl(" \n\n")).rejects.toMatchObject({ code: "DATA_FILE", message: expect.stringContaining("holds no rows") });
    await expect(readJsonl(new Uint8Array([0x7b, 0xff]))).rejects.toThrow("is not UTF-8 text");
    await expect(readJsonl({ byteLength: 9, slice: async () => new Uint8Array(4) })).rejects.toThrow(
      "ended early; expected 9 bytes from 0, got 4",
    );
    await expect(readJsonl("{}", { signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow("stop");
  });
});

describe("readJson", () => {
  it("reads an array of objects and refuses anything else", async () => {
    expect(await rowsOf(readJson('[{"a": [1]}, {"a": null}]'))).toEqual([{ a: [1] }, { a: null }]);
    await expect(readJson('{"a": 1}')).rejects.toThrow("is not an array");
    await expect(readJson('[{"a": 1}, 2]')).rejects.toThrow("element 1 of data is not an object; expected {…}, got 2");
    await expect(readJson("[1,")).rejects.toThrow("is not JSON");
    await expect(readJson("[]")).rejects.toThrow("holds no rows");
  });
});

describe("readCsv", () => {
  it("reads quoted cells with separators, line ends and quotes", async () => {
    const text = 'prompt,completion\r\n"a, b","said ""yes""\nand left"\r\n\r\nc,\n"",d e';
    expect(await rowsOf(readCsv(text))).toEqual([
      { prompt: "a, b", completion: 'said "yes"\nand left' },
      { prompt: "c", completion: "" },
      { prompt: "", completion: "d e" },
    ]);
  });

  it("keeps a carriage return inside a cell, and ends lines and quotes that lie across pieces", () => {
    const pieces = ['a,"b', '"', '" c', '"\r', "\nd\re", ",\r"];
    const parser = new CsvParser("data", ",");
    const records = [...pieces.flatMap((piece) => [...parser.push(piece)]), ...parser.finish()];
    expect(records).toEqual([
      { cells: ["a", 'b" c'], line: 1 },
      { cells: ["d\re", ""], line: 2 },
    ]);
  });

  it("makes booleans and numbers of whole columns, never of text columns", async () => {
    const text = "completion,label,score,mixed,count\n42,True,0.5,true,1\n7,false,,2,0\n";
    expect(await rowsOf(readCsv(text))).toEqual([
      { completion: "42", label: true, score: 0.5, mixed: "true", count: 1 },
      { completion: "7", label: false, score: null, mixed: "2", count: 0 },
    ]);
    expect(await rowsOf(readCsv("id\n7\n", { textColumns: ["id"] }))).toEqual([{ id: "7" }]);
  });

  it("names the line that is wrong", async () => {
    await expect(readCsv('a,b\n"x\ny",1\n2\n')).rejects.toMatchObject({
      line: 4,
      message: expect.stringContaining("expected 2 (a, b), got 1"),
    });
    await expect(readCsv('a\n\n"x\ny\n')).rejects.toMatchObject({
      line: 3,
      message: expect.stringContaining("a quoted cell is never closed"),
    });
    await expect(readCsv('a,b\n"x"y,1\n')).rejects.toMatchObject({
      line: 2,
      message: expect.stringContaining("text follows a closing quote"),
    });
    await expect(readCsv("a,a\n1,2\n")).rejects.toThrow("empty or repeated name");
    await expect(readCsv("a,b\n")).rejects.toThrow("holds no rows");
  });
});

describe("loadDataset", () => {
  it.each([
    ["x.jsonl", '{"a": 1}'],
    ["x.ndjson", '{"a": 1}'],
    ["x.json", '[{"a": 1}]'],
    ["x.json", ' {"a": 1}\n'],
    ["x.csv", "a\n1\n"],
    ["x.TSV", "a\tb\n1\t2\n"],
    ["no extension", '{"a": 1}'],
    [undefined, '[{"a": 1}]'],
  ])("reads %s", async (name, text) => {
    expect((await loadDataset(text, { name })).at(0)).toMatchObject({ a: 1 });
  });

  it("refuses an empty file and one of an unknown kind", async () => {
    await expect(loadDataset("", { name: "x.jsonl" })).rejects.toThrow("x.jsonl is empty");
    await expect(loadDataset("hello", { name: "x.constructor" })).rejects.toThrow("the format of x.constructor is unknown");
  });
});
