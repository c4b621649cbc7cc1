import { expect, it } from "vitest";
import { filterFiles, matchesGlob } from "./glob.js";

it.each<[string, string, boolean]>([
  ["a/b/model.safetensors", "*.safetensors", true],
  ["model.safetensors", "*.json", false],
  ["checkpoint-1/x", "checkpoint-?/", true],
  ["checkpoint-10/x", "checkpoint-?/", false],
  ["a/b", "a/", true],
  ["file1", "file[0-9]", true],
  ["fileA", "file[!0-9]", true],
  ["file]", "file[]]", true],
  ["a-b", "a[x-]b", true],
  ["x", "[z-a]", false],
  ["x", "[!z-a]", true],
  ["a[b", "a[b", true],
  ["a+b(c).d", "a+b(c).d", true],
  ["aXb", "a.b", false],
  ["ünï/😀", "ünï/?", true],
  ["two\nlines", "two*", true],
  ["Model", "model", false],
])("%j against %j: %s", (path, pattern, expected) => {
  expect(matchesGlob(path, pattern)).toBe(expected);
});

it("takes what is included and not excluded", () => {
  const files = ["a.json", "b.json", "c.txt"].map((path) => ({ path }));
  const names = (include?: string[], exclude?: string[]): string[] => filterFiles(files, include, exclude).map(({ path }) => path);
  expect(names()).toEqual(["a.json", "b.json", "c.txt"]);
  expect(names(["*.json"], ["b*"])).toEqual(["a.json"]);
  expect(names([])).toEqual([]);
  expect(names(undefined, ["*"])).toEqual([]);
});
