import { describe, expect, it } from "vitest";

import { excerpt, Float, isFloat, parseJson, stringifyJson } from "../index.js";
import { JsonReader } from "./parse-json.js";

/** `[text, what it is written as again]`: what Python's json.loads and json.dumps make of each, with compact separators. */
const kept: [string, string][] = [
  ['{"amount":25.0,"rate":1.0,"minimum":0.0,"count":1}', '{"amount":25.0,"rate":1.0,"minimum":0.0,"count":1}'],
  ["7310582941637725184", "7310582941637725184"],
  ["[9007199254740991,9007199254740993,-9007199254740993]", "[9007199254740991,9007199254740993,-9007199254740993]"],
  ["123456789012345678901234567890", "123456789012345678901234567890"],
  ["[-0,-0.0,0.0,0]", "[0,-0.0,0.0,0]"],
  ["[1e5,1E+2,1e16,12e-1,1e-7,5e-324]", "[100000.0,100.0,1e+16,1.2,1e-07,5e-324]"],
  ['{"10":1,"9":2}', '{"10":1,"9":2}'],
  ['{"b":1,"2":2,"a":3}', '{"b":1,"2":2,"a":3}'],
  ['{"__proto__":{"a":1},"b":2}', '{"__proto__":{"a":1},"b":2}'],
  ['{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'],
  ['{"9":1,"10":2,"9":3}', '{"9":3,"10":2}'],
  ['{"4294967294":1,"4294967295":2,"01":3,"1.5":4}', '{"4294967294":1,"4294967295":2,"01":3,"1.5":4}'],
  ['"\\u00e9\\ud83d\\udc4d\\n\\/"', '"é👍\\n/"'],
  [' {"a" : [ ] , "b" :\n{ } } ', '{"a":[],"b":{}}'],
];

it.each(kept)("keeps %s", (text, written) => expect(stringifyJson(parseJson(text))).toBe(written));

it("gives plain objects and numbers wherever nothing is lost", () => {
  const text = '{"a": [1, 0.5, true, false, null, "x"], "0": 1e400, "b": {"1": 1, "2": 2, "c": []}}';
  expect(parseJson('{"1": 1, "2": [0.5], "c": "x"}')).toEqual({ 1: 1, 2: [0.5], c: "x" });
  expect([...(parseJson(text) as Map<string, unknown>)]).toEqual([
    ["a", [1, 0.5, true, false, null, "x"]],
    ["0", Infinity],
    ["b", { 1: 1, 2: 2, c: [] }],
  ]);
});

it("makes of ordinary texts what JSON.parse makes", () => {
  const values = [{}, [], "", 'a\u2028\u0000\ud800\\"', [[], [[1, -2.5, 1e-9]], {}], { a: { b: [null, true, "é👍"] }, "": 0 }];
  for (const value of values) for (const indent of [0, 2]) expect(parseJson(JSON.stringify(value, null, indent))).toEqual(value);
});

it("reads numbers as the language does", () => {
  let state = 1;
  const next = (below: number): number => (state = (state * 48271) % 2147483647) % below;
  const texts = [
    "0.1",
    "123456789012345",
    "999999999999999",
    "1234567890.12345",
    "0.000000000000001",
    "9007199254740991.5",
    "0.30000000000000004",
  ];
  for (let count = 0; count < 20_000; count++) {
    const digits = Array.from({ length: 1 + next(20) }, () => next(10)).join("");
    const whole = digits.slice(0, next(digits.length + 1)).replace(/^0+(?=\d)/, "") || "0";
    const exponent = ["", "", `e${next(40)}`, `E-${next(330)}`][next(4)]!;
    texts.push(`${["", "-"][next(2)]!}${whole}.${digits}${exponent}`, `${next(2) === 0 ? "-" : ""}${whole}`);
  }
  for (const text of texts)
    expect([text, Number(parseJson(text))]).toEqual([text, Number(text) + 0 === 0 ? Number(parseJson(text)) : Number(text)]);
  expect([parseJson("-0.00"), parseJson("-0e5")].map((zero) => Object.is(Number(zero), -0))).toEqual([true, true]);
});

it("takes what Python writes and JSON does not have", () => {
  expect(parseJson("[NaN, Infinity, -Infinity]")).toEqual([NaN, Infinity, -Infinity]);
  expect(isFloat((parseJson("[1.0]") as unknown[])[0])).toBe(true);
});

describe("refuses what is no JSON, and says where", () => {
  it.each([
    ["{'a': 1}", 2, "a key in double quotes"],
    ["{a: 1}", 2, "a key in double quotes"],
    ['{"a": 1,}', 9, "a key in double quotes"],
    ["[1,]", 4, "a value"],
    ["[,1]", 2, "a value"],
    ["[1 2]", 4, '"," or "]"'],
    ['{"a" 1}', 6, '":"'],
    ['{"a": 1 "b": 2}', 9, '"," or "}"'],
    ["// note\n1", 1, "a value"],
    ["[0x10]", 3, '"," or "]"'],
    ["[01]", 2, "a number"],
    ["[.5]", 2, "a value"],
    ["[5.]", 2, "a number"],
    ["[1e]", 2, "a number"],
    ["[+1]", 2, "a value"],
    ["[-]", 2, "a number"],
    ["[-NaN]", 2, "a number"],
    ["[nan]", 2, "a value"],
    ["[True]", 2, "a value"],
    ["None", 1, "a value"],
    ["", 1, "a value"],
    ["1 2", 3, "the end of the text"],
    ["[1]]", 4, "the end of the text"],
    ["\u00a01", 1, "a value"],
    ['"a', 3, "a closing double quote"],
    ['"a\\', 4, "a closing double quote"],
    ['"a\tb"', 3, "control characters"],
    ['"a\\x41"', 3, "an escape"],
    ['"\\u12g4"', 2, "an escape"],
  ])("%s", (text, column, expected) => {
    const thrown = errorOf(() => parseJson(text));
    expect(thrown).toMatchObject({ code: "FORMAT", line: 1 });
    expect(thrown.message).toContain(`expected ${expected}`);
    expect(thrown.message).toContain(`at column ${column}`);
  });

  it("by file and line, with the letters from there on", () => {
    const place = { operation: "readJson", source: "rows.json", line: 7, advice: "mend the file" };
    expect(errorOf(() => parseJson('{"a": 1,\n "b": oops, "c": 3}', place))).toMatchObject({
      message: 'readJson: line 8 of rows.json is not JSON; expected a value at column 7, got oops, "c": 3}; mend the file',
      source: "rows.json",
      line: 8,
    });
  });

  it("an integer that Python would not read either", () => {
    expect(parseJson("9".repeat(4300))).toBe(10n ** 4300n - 1n);
    expect(errorOf(() => parseJson("9".repeat(4301))).message).toContain("expected at most 4300 digits at column 1, got 4301");
  });

  it("that nests too deeply or holds too many values, without an end of the stack", () => {
    for (const depth of [501, 20_000, 1_000_000]) {
      expect(errorOf(() => parseJson("[".repeat(depth))).message).toContain("nests too deeply; expected at most 500 levels");
      expect(errorOf(() => parseJson('{"a":'.repeat(depth))).message).toContain("nests too deeply");
    }
    const deepest = parseJson(`${"[".repeat(500)}${"]".repeat(500)}`);
    expect(stringifyJson(deepest)).toHaveLength(1000);
    expect(excerpt(deepest)).toMatch(/^\[{60}/);
    expect(errorOf(() => parseJson(`[${"[],".repeat(2 ** 21)}1]`)).message).toContain("too many values; expected at most 2097152");
  });
});

it("reads values one after another", () => {
  const reader = new JsonReader(' {"a":1} [2]\n"x" ');
  const values: unknown[] = [];
  while (!reader.isAtEnd()) values.push(reader.value());
  expect(values).toEqual([{ a: 1 }, [2], "x"]);
});

it("writes what JSON.stringify writes, but for what that loses or cannot write", () => {
  const value = {
    a: undefined,
    b: [undefined, () => 1, NaN],
    c: new Date(0),
    d: new Number(5),
    e: "é\n\ud800",
    f: { toJSON: () => ({ g: 1 }) },
  };
  expect(stringifyJson(value)).toBe(JSON.stringify(value));
  expect(stringifyJson(undefined)).toBe("null");
  expect(
    stringifyJson([
      new Uint8Array([1, 2]),
      new Float(NaN),
      5n,
      new Map([
        ["2", 1],
        ["1", 2],
      ]),
    ]),
  ).toBe('[[1,2],null,5,{"2":1,"1":2}]');
});

function errorOf(run: () => unknown): Error & { code?: string; line?: number } {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected an error");
}
