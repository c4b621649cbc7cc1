import { describe, expect, it } from "vitest";

import { excerpt, Float, shorten } from "./index.js";

const deep = (levels: number, wrap: (inner: unknown) => unknown): unknown => {
  let value: unknown = 0;
  for (let level = 0; level < levels; level++) value = wrap(value);
  return value;
};
const circular: unknown[] = [];
circular.push(circular);
const revoked = Proxy.revocable({}, {});
revoked.revoke();

describe("excerpt", () => {
  it.each([
    ["text", "plum", '"plum"'],
    ["nothing", undefined, "undefined"],
    ["JSON", { a: [1, null, true, "x"], b: {} }, '{"a":[1,null,true,"x"],"b":{}}'],
    ["an integer past 2^53", 7310582941637725184n, "7310582941637725184"],
    ["a float that is whole", { amount: new Float(25) }, '{"amount":25.0}'],
    ["numbers JSON does not have", [NaN, -Infinity, -0], "[NaN,-Infinity,0]"],
    ["a map", new Map<unknown, unknown>([["2", 1]]), '{"2":1}'],
    ["typed numbers", new Uint8Array([1, 2]), "[1,2]"],
    ["half of a pair", "a\ud800", '"a\\ud800"'],
    ["a symbol and a function", [Symbol("s"), excerpt], "[Symbol(s),a function]"],
    ["a value that cannot be looked at", revoked.proxy, "a value of type object"],
  ])("%s", (_what, value, text) => expect(excerpt(value)).toBe(text));

  it.each([
    ["20,000 brackets", deep(20_000, (inner) => [inner])],
    ["20,000 objects", deep(20_000, (inner) => ({ a: inner }))],
    ["a circle", circular],
    ["100 MB of text", "x".repeat(1e8)],
    ["a million items", Array.from({ length: 1e6 }, (_, index) => index)],
    ["a million fields", Object.fromEntries(Array.from({ length: 1e5 }, (_, index) => [`k${index}`, index]))],
  ])("%s is cut", (_what, value) => {
    const start = performance.now();
    expect(excerpt(value).length).toBe(61);
    expect(excerpt(value).endsWith("…")).toBe(true);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

it("shortens a text without splitting a character", () => {
  expect(shorten("short")).toBe("short");
  expect(shorten("abcd", 2)).toBe("ab…");
  expect(shorten("a😀b", 2)).toBe("a…");
  expect(shorten("x\udc00")).toBe("x\\udc00");
});
