import { describe, expect, it } from "vitest";

import { CsvCutter } from "./csv/csv-cutter.js";
import { readCsv } from "./index.js";

const rowsOf = async (text: string, options: Parameters<typeof readCsv>[1] = {}): Promise<unknown[]> =>
  (await readCsv(text, options)).toArray();

describe("readCsv", () => {
  it("reads quoted cells with separators, line ends and quotes", async () => {
    const text = 'prompt,completion\r\n"a, b","said ""yes""\nand left"\r\n\r\nc,\n"",d e\n"x" ,r"s"';
    expect(await rowsOf(text)).toEqual([
      { prompt: "a, b", completion: 'said "yes"\nand left' },
      { prompt: "c", completion: "" },
      { prompt: "", completion: "d e" },
      { prompt: "x ", completion: 'r"s"' },
    ]);
  });

  it("cuts records alike, wherever the pieces end", () => {
    const text = 'a,"b"" c"\r\n \n\n"d\r\ne",\rf,"""",\r\ng';
    const whole = new TextEncoder().encode(text);
    const found = (size: number): unknown[] => {
      const cutter = new CsvCutter(",", () => {
        throw new Error("refused");
      });
      const records: unknown[] = [];
      let rest = new Uint8Array(0);
      for (let at = 0; at <= whole.length; at += size) {
        const bytes = Uint8Array.from([...rest, ...whole.subarray(at, at + size)]);
        const { starts, ends, lines, cells, rest: unread } = cutter.cut(bytes, at + size > whole.length);
        starts.forEach((start, index) =>
          records.push([new TextDecoder().decode(bytes.subarray(start, ends[index])), lines[index], cells[index]]),
        );
        rest = bytes.subarray(unread);
      }
      return records;
    };
    for (let size = 1; size <= whole.length + 1; size++) {
      expect(found(size)).toEqual([
        ['a,"b"" c"', 1, 2],
        ['"d\r\ne",', 4, 2],
        ['f,"""",', 6, 3],
        ["g", 7, 1],
      ]);
    }
  });

  it("makes booleans and numbers of whole columns, never of text columns", async () => {
    const text = "completion,label,score,mixed,count\n42,True,0.5,true,1\n7,false,,2,0\n";
    expect(await rowsOf(text)).toEqual([
      { completion: "42", label: true, score: 0.5, mixed: "true", count: 1 },
      { completion: "7", label: false, score: null, mixed: "2", count: 0 },
    ]);
    expect(await rowsOf("id\n7\n", { textColumns: ["id"] })).toEqual([{ id: "7" }]);
  });

  it.each([
    // as pandas 3 reads them, but that "" stays text in columns of text, as does a word for a missing value
    [
      "a,,b,\n1,2,3,\n4,5,6,\n",
      [
        { a: 1, "Unnamed: 1": 2, b: 3, "Unnamed: 3": null },
        { a: 4, "Unnamed: 1": 5, b: 6, "Unnamed: 3": null },
      ],
    ],
    ["a,a,a.1,a\n1,2,3,4\n", [{ a: 1, "a.2": 2, "a.1": 3, "a.3": 4 }]],
    [
      "a,b,c\n1,2\n4,5,6\n",
      [
        { a: 1, b: 2, c: null },
        { a: 4, b: 5, c: 6 },
      ],
    ],
    [
      'a,b,c\nx,"",NA\n4,None,null\nnan,n/a,5\n',
      [
        { a: "x", b: "", c: null },
        { a: "4", b: "None", c: null },
        { a: "nan", b: "n/a", c: 5 },
      ].map((row) => ({ ...row, b: null })),
    ],
    [
      "a,b\n  \n1,2\n\n \t\n3,4\n",
      [
        { a: 1, b: 2 },
        { a: 3, b: 4 },
      ],
    ],
    [
      "a,b\n1,x\ry,z\n",
      [
        { a: "1", b: "x" },
        { a: "y", b: "z" },
      ],
    ],
    ["a,b\r\r\n1,x\r\r\n", [{ a: 1, b: "x" }]],
    [
      "id,a\n007,9007199254740993\n8,18446744073709551615\n",
      [
        { id: 7, a: 9007199254740993n },
        { id: 8, a: 18446744073709551615n },
      ],
    ],
    ["a\n18446744073709551616\n1\n", [{ a: "18446744073709551616" }, { a: "1" }]],
    [
      "a,b,c,d\n+1,.5,5.,inf\n1, 2,1e5,-inf\n",
      [
        { a: 1, b: 0.5, c: 5, d: Infinity },
        { a: 1, b: 2, c: 1e5, d: -Infinity },
      ],
    ],
    ["a,b,c\n1_000,0x1F,yes\n", [{ a: "1_000", b: "0x1F", c: "yes" }]],
    ["é,__proto__,0\n1,2,ü\n", [Object.defineProperty({ é: 1, 0: "ü" }, "__proto__", { value: 2, enumerable: true })]],
  ])("reads %j as pandas does", async (text, rows) => expect(await rowsOf(text)).toEqual(rows));

  it("takes the separator that the first line shows, or the one it is told", async () => {
    for (const separator of [",", ";", "\t", "|"]) {
      expect(await rowsOf(`prompt${separator}label\na${separator}True\n`)).toEqual([{ prompt: "a", label: true }]);
    }
    expect(await rowsOf("prompt;completion, short;label\na;b, c;1\n")).toEqual([{ prompt: "a", "completion, short": "b, c", label: 1 }]);
    expect(await rowsOf("a,b;c;d\n1,2\n")).toEqual([{ a: 1, "b;c;d": 2 }]);
    expect(await rowsOf("sep=;\r\na;b,c\r\n1;2\r\n")).toEqual([{ a: 1, "b,c": 2 }]);
    expect(await rowsOf("a;b,c\n1;2\n", { separator: ";" })).toEqual([{ a: 1, "b,c": 2 }]);
    await expect(rowsOf("a\n1\n", { separator: "::" })).rejects.toMatchObject({ code: "ARGUMENT" });
  });

  it("names the line that is wrong", async () => {
    await expect(rowsOf('a,b\n"x\ny",1\n2,3,4\n')).rejects.toMatchObject({
      line: 4,
      message: expect.stringContaining("has more cells than the header; expected 2 (a, b), got 3; quote cells that hold the separator"),
    });
    await expect(rowsOf('a\n\n"x\ny\n')).rejects.toMatchObject({
      line: 3,
      message: expect.stringContaining("a quoted cell is never closed"),
    });
    for (const text of ['a,b\n"x"y,1\n', 'a,b\n"x" "y",1\n']) {
      await expect(rowsOf(text)).rejects.toMatchObject({ line: 2, message: expect.stringContaining("text follows a closing quote") });
    }
    await expect(rowsOf("a,b\n")).rejects.toThrow("holds no rows");
  });
});
