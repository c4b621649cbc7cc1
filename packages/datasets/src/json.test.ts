import type { ByteSource } from "@kto/core";
import { stringifyJson } from "@kto/core";
import { describe, expect, it, vi } from "vitest";

import { DocumentCutter } from "./json/document-cutter.js";
import { loadDataset, readJson } from "./index.js";
import { memoryDirectory } from "./testing/memory-directory.js";

const rowsOf = async (text: string | Uint8Array): Promise<unknown[]> => (await readJson(text)).toArray();

describe("readJson", () => {
  it("reads text, bytes, a Blob and ranges alike", async () => {
    const text = '\uFEFF{"a": "日本"}\r\n\n{"a": "👍\u2028"}';
    const bytes = new TextEncoder().encode(text);
    const ranges: ByteSource = { byteLength: bytes.byteLength, slice: async (start, end) => bytes.slice(start, end) };
    for (const source of [text, bytes, bytes.buffer, new Blob([bytes]), ranges]) {
      expect((await readJson(source)).toArray()).toEqual([{ a: "日本" }, { a: "👍\u2028" }]);
    }
  });

  it("joins rows and characters that lie across pieces, in every layout, and reports progress", async () => {
    const rows = Array.from({ length: 30_000 }, (_, id) => ({ id, text: 'é👍\\"]}'.repeat(20 + (id % 7)) }));
    const texts = rows.map((row) => JSON.stringify(row));
    const onProgress = vi.fn();
    expect((await readJson(texts.join("\n"), { onProgress })).toArray()).toEqual(rows);
    const { loadedBytes, totalBytes, rows: count } = onProgress.mock.lastCall![0];
    expect([loadedBytes, count]).toEqual([totalBytes, 30_000]);
    expect(onProgress.mock.calls.length).toBeGreaterThan(1);
    expect(await rowsOf(JSON.stringify(rows, null, 1))).toEqual(rows);
    expect(await rowsOf(rows.map((row) => JSON.stringify(row, null, 1)).join(""))).toEqual(rows);
  });

  it("reads the rows that it needs for maxRows, and not what is wrong behind them", async () => {
    expect((await readJson('{"a": 1}\n{"a": 2}\nnonsense', { maxRows: 2 })).toArray()).toEqual([{ a: 1 }, { a: 2 }]);
    expect((await readJson('[{"a": 1}, {"a": 2} nonsense', { maxRows: 2 })).toArray()).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it("gives top-level columns plain values, and any name", async () => {
    expect(await rowsOf('{"2": 1.0, "1": 7310582941637725184, "__proto__": 5}')).toEqual([
      Object.defineProperty({ 2: 1, 1: 7310582941637725184n }, "__proto__", { value: 5, enumerable: true }),
    ]);
  });

  it("makes each row anew, so that none can be changed for others", async () => {
    const dataset = await readJson('{"a": [1]}\n{"a": [2]}');
    (dataset.at(0)["a"] as number[]).push(5);
    expect(dataset.at(0)).toEqual({ a: [1] });
    expect([dataset.at(1), dataset.at(0), dataset.at(1)]).toEqual([{ a: [2] }, { a: [1] }, { a: [2] }]);
  });

  it.each([
    [
      '{"a": 1}\n\n{"a": \n',
      3,
      "line 3 of rows.json is not JSON; expected a value at column 7, got the end of the text; mend or remove that line",
    ],
    ["[1]\n", 1, 'line 1 of rows.json is not an object; expected {"column": value, …} for each row, got 1; mend row 0'],
    ['[{"a": 1}, 2]', 1, 'is not an object; expected {"column": value, …} for each row, got 2; mend row 1 (counted from 0)'],
    ['[{"a": 1},\n]', 2, "expected a value at column 1, got ]"],
    ['[{"a": 1} {"a": 2}]', 1, "a comma is missing between two rows"],
    ['[{"a": 1}]\n[{"a": 2}]', 2, "something follows the end of the array"],
    ['[{"a": 1}\n', 2, "the array is never closed"],
    ['[\n{"a": [}, {}]', 2, "expected a value at column 8, got }"],
    ['{\n"a": 1,\n"b": oops\n}', 3, "expected a value at column 6, got oops"],
    ['{"a": 1},\n{"a": 2},\n', 1, "expected a value at column 9, got ,"],
    ['{"a": 1}\u0001\n', 1, "expected a value at column 9"],
    ['{"a": "b"}\n{"a": "\u00e9"} x\n', 2, "expected a value at column 12, got x"],
  ])("says where %j is wrong", async (text, line, message) => {
    await expect(readJson(text, { name: "rows.json" })).rejects.toMatchObject({
      code: "FORMAT",
      line,
      source: "rows.json",
      message: expect.stringContaining(message),
    });
  });

  it("refuses a file without rows, a source that ends early, and stops when told", async () => {
    for (const text of ["", " \n\n", "[]", "[ \n ]"]) {
      await expect(readJson(text)).rejects.toMatchObject({ code: "DATA_FILE", message: expect.stringContaining("holds no rows") });
    }
    await expect(readJson({ byteLength: 9, slice: async () => new Uint8Array(4) })).rejects.toThrow("expected 9 bytes from 0, got 4");
    await expect(readJson("{}", { signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow("stop");
    await expect(readJson("{}", { maxRows: 0 })).rejects.toMatchObject({ code: "ARGUMENT" });
  });
});

/** What datasets 5.2 gives for each file (`load_dataset("json", …)`), as Python's json writes it, without the columns a row lacks; NaN is null here. */
const typed: [string[], string[]?][] = [
  [
    ['{"a":{"x":1}}', '{"a":{"x":2.5}}'],
    ['{"a":{"x":1.0}}', '{"a":{"x":2.5}}'],
  ],
  [['{"a":{"x":1}}', '{"a":{"x":2.5,"y":1}}']],
  [['{"a":{"x":1}}', '{"a":{"y":2.5}}']],
  [
    ['{"a":[1,2.5]}', '{"a":[3]}'],
    ['{"a":[1.0,2.5]}', '{"a":[3.0]}'],
  ],
  [['{"a":[[1,2],[3.5]]}'], ['{"a":[[1.0,2.0],[3.5]]}']],
  [
    ['{"a":[{"x":1},{"x":2.0}]}', '{"a":[{"x":3}]}'],
    ['{"a":[{"x":1.0},{"x":2.0}]}', '{"a":[{"x":3.0}]}'],
  ],
  [['{"a":[{"x":1},{"x":2.0}]}', '{"a":[{"x":3},{}]}']],
  [
    ['{"a":{"x":1,"z":{"q":1}}}', '{"a":{"x":2.5,"z":{"r":2}}}'],
    ['{"a":{"x":1.0,"z":{"q":1}}}', '{"a":{"x":2.5,"z":{"r":2}}}'],
  ],
  [
    ['{"a":{"x":null}}', '{"a":{"x":2}}', '{"a":null}', '{"b":1}', '{"a":{"x":2.5}}'],
    ['{"a":{"x":null}}', '{"a":{"x":2.0}}', '{"a":null}', '{"b":1}', '{"a":{"x":2.5}}'],
  ],
  [['{"a":[1,"x"]}', '{"a":[2.0]}']],
  [['{"a":[true,1]}', '{"a":[2.0]}']],
  [['{"a":{"x":1}}', '{"a":"t"}', '{"a":{"x":2.5}}']],
  [['{"a":{"x":9223372036854775807}}', '{"a":{"x":-9223372036854775808}}']],
  [
    ['{"a":{"x":9223372036854775808}}', '{"a":{"x":1}}'],
    ['{"a":{"x":9.223372036854776e+18}}', '{"a":{"x":1.0}}'],
  ],
  [['{"a":{"x":7310582941637725184,"f":25.0}}', '{"a":{"y":1}}']],
  [
    ['{"a":{"x":NaN,"z":[-Infinity,1.0]}}', '{"a":{"y":1}}'],
    ['{"a":{"x":null,"z":[null,1.0]}}', '{"a":{"y":1}}'],
  ],
  [
    ['{"a":{"10":1,"9":2}}', '{"a":{"10":1.5,"9":3}}'],
    ['{"a":{"10":1.0,"9":2}}', '{"a":{"10":1.5,"9":3}}'],
  ],
  [['{"a":{"x":1e5,"y":-0.0}}'], ['{"a":{"x":100000.0,"y":-0.0}}']],
  [['{"m":[{"role":"user","n":1},{"role":"assistant","n":2.0}]}'], ['{"m":[{"role":"user","n":1.0},{"role":"assistant","n":2.0}]}']],
  [['{"m":[{"role":"user","n":1},{"role":"assistant","t":[1,2.0]}]}']],
];

describe("numbers have the types that they have for trl", () => {
  it.each(typed)("%j", async (lines, expected = lines) => {
    expect((await rowsOf(lines.join("\n"))).map(stringifyJson)).toEqual(expected);
    expect((await rowsOf(`[${lines.join(",\n")}]`)).map(stringifyJson)).toEqual(expected);
  });

  it("keeps NaN where a number is typed", async () => {
    const rows = await rowsOf('{"a":{"x":NaN}}\n{"a":{"x":1}}');
    expect(rows).toEqual([{ a: { x: NaN } }, expect.anything()]);
    expect(stringifyJson(rows[1])).toBe('{"a":{"x":1.0}}');
  });

  it("across the files of a split", async () => {
    const directory = memoryDirectory({ "train-1.jsonl": '{"a": {"x": 1}}', "train-2.json": '[{"a": {"x": 2.5}}]' });
    const files = [await directory.open("train-1.jsonl"), await directory.open("train-2.json")];
    const only = await Promise.all(files.map((file) => readJson(file!)));
    expect(only.map((dataset) => stringifyJson(dataset.at(0)))).toEqual(['{"a":{"x":1}}', '{"a":{"x":2.5}}']);
    const split = await loadDataset(memoryDirectory({ "train-1.jsonl": '{"a": {"x": 1}}', "train-2.jsonl": '{"a": {"x": 2.5}}' }));
    expect(split.toArray().map(stringifyJson)).toEqual(['{"a":{"x":1.0}}', '{"a":{"x":2.5}}']);
  });
});

it("cuts a document alike, wherever the pieces end", () => {
  const text = ' [ {"a\\\\": "]}\\"" }\n ,[[1],{}], "x\\"",5 ]\n';
  const whole = new TextEncoder().encode(text);
  const found = (size: number): string[] => {
    const cutter = new DocumentCutter("array", 1);
    const texts: string[] = [];
    let rest = new Uint8Array(0);
    for (let at = 0; at <= whole.length; at += size) {
      const isLast = at + size > whole.length;
      const bytes = Uint8Array.from([...rest, ...whole.subarray(at, at + size)]);
      const { starts, ends, failure, rest: unread } = cutter.cut(bytes, isLast);
      expect(failure).toBeUndefined();
      starts.forEach((start, index) => texts.push(new TextDecoder().decode(bytes.subarray(start, ends[index])).trim()));
      rest = bytes.subarray(unread);
    }
    return texts;
  };
  for (let size = 1; size <= whole.length + 1; size++) expect(found(size)).toEqual(['{"a\\\\": "]}\\"" }', "[[1],{}]", '"x\\""', "5"]);
});
