import { describe, expect, it } from "vitest";

import { pathPattern } from "./path-pattern.js";

describe("pathPattern", () => {
  it.each<[pattern: string, matches: string[], others: string[]]>([
    ["data/tr*", ["data/tr", "data/train.jsonl"], ["data/tr/x", "data/x", "data/t"]],
    ["./a.csv", ["a.csv"], ["b.csv", "x/a.csv"]],
    ["a?.csv", ["ab.csv", "a👍.csv"], ["a.csv", "a/.csv"]],
    ["**/*.jsonl", ["a.jsonl", "x/a.jsonl", "x/y/a.jsonl"], ["a.json", "x/y"]],
    ["more/**/*.jsonl", ["more/c.jsonl", "more/x/y/d.jsonl"], ["c.jsonl", "more.jsonl"]],
    ["data/**", ["data/a", "data/x/y"], ["data", "x/data/a"]],
    ["**a", ["a", "x/ba"], ["ab"]],
    ["[0-9a].csv", ["7.csv", "a.csv"], ["b.csv", "-.csv", "/.csv"]],
    ["[!0-9].csv", ["a.csv"], ["7.csv", "/.csv"]],
    ["[]x].csv", ["].csv", "x.csv"], ["[.csv"]],
    ["[z-a].csv", [], ["z.csv", "m.csv", "[z-a].csv"]],
    ["{train,dev}-{0,1}.csv", ["train-0.csv", "dev-1.csv"], ["train.csv", "test-0.csv"]],
    ["{,x}a", ["a", "xa"], ["xxa"]],
    ["a[b{c", ["a[b{c"], ["ab"]],
    ["a.b+(c)$", ["a.b+(c)$"], ["aXb+(c)$"]],
  ])("%s", (pattern, matches, others) => {
    const test = pathPattern(pattern);
    for (const path of matches) expect([path, test(path)]).toEqual([path, true]);
    for (const path of others) expect([path, test(path)]).toEqual([path, false]);
  });

  it.each([
    "*a".repeat(30),
    `tr${"*".repeat(40)}x`,
    `${"**a".repeat(12)}!`,
    "{a,aa}".repeat(30),
    `${"[a-z]*".repeat(40)}!`,
    "**/".repeat(60),
  ])("takes no longer than both lengths: %s", (pattern) => {
    const started = process.cpuUsage();
    expect(pathPattern(pattern)(`tr${"a".repeat(2000)}b`)).toBe(false);
    expect(process.cpuUsage(started).user / 1000).toBeLessThan(1000);
  });
});
