import { join } from "node:path";
import { errorCodes } from "@kto/core";
import { describe, expect, it } from "vitest";
import { listPackages, sourceFiles } from "./workspace.js";

const files = listPackages().flatMap(({ folder }) => sourceFiles(join(folder, "src")));

/** Every match of a pattern's first group, with the file. */
function find(pattern: RegExp): { found: string; path: string }[] {
  return files.flatMap(({ path, text }) => [...text.matchAll(pattern)].map((match) => ({ found: match[1]!, path })));
}

/** Names that are found more than once, with the files. */
function twice(items: { found: string; path: string }[]): string[] {
  const placesOf = (name: string): string[] => items.filter(({ found }) => found === name).map(({ path }) => path);
  const names = [...new Set(items.map(({ found }) => found))];
  return names.filter((name) => placesOf(name).length > 1).map((name) => `${name}: ${placesOf(name).join(", ")}`);
}

describe("one definition", () => {
  it("of each class of error, and those that every package may throw are @kto/core's", () => {
    const classes = find(/\bclass (\w+Error)\b/g);
    expect(twice(classes)).toEqual([]);
    const core = classes.filter(({ path }) => path.startsWith("packages/core/")).map(({ found }) => found);
    expect(core).toEqual(expect.arrayContaining(["KtoError", "FormatError", "DtypeError", "CapabilityError", "SourceError", "WriteError"]));
  });

  it("of bytes to read and of places that have them", () => {
    const interfaces = find(/\binterface (ByteSource|ByteDirectory|ListedDirectory|ByteSink|Store)\b/g);
    expect(interfaces.map(({ found }) => found).sort()).toEqual(["ByteDirectory", "ByteSink", "ByteSource", "ListedDirectory", "Store"]);
    expect(interfaces.filter(({ path }) => !path.startsWith("packages/core/"))).toEqual([]);
    const others = find(/^export interface (\w*(?:Source|Directory)(?: extends \w+)?) \{[^}]*\b(?:slice|open)\(/gm);
    expect(others.filter(({ path }) => !path.startsWith("packages/core/")).map(({ found }) => found)).toEqual([]);
  });
});

describe("codes of errors", () => {
  const used = find(/\b(?:super|new KtoError)\(\s*"([A-Z0-9_]+)"/g);

  it("are all listed, with what they mean", () => {
    expect(used.filter(({ found }) => !Object.hasOwn(errorCodes, found))).toEqual([]);
    for (const meaning of Object.values(errorCodes)) expect(meaning).toMatch(/^[^A-Z].{15,}[^.]$/);
  });

  it("are all used, each by one class", () => {
    expect(Object.keys(errorCodes)).toEqual([...new Set(used.map(({ found }) => found))].sort());
    expect(twice(used)).toEqual([]);
  });
});

it("gives every class of error its name as a literal, which no bundler changes", () => {
  const classes = files.flatMap(({ path, text }) =>
    [...text.matchAll(/class (\w+) extends (?:Kto|Capability)Error \{\n(.*)\n/g)].map(([, name, line]) => ({
      path,
      name,
      line: line!.trim(),
    })),
  );
  expect(classes.length).toBeGreaterThan(25);
  for (const { name, line, path } of classes) expect(line, path).toBe(`override name = "${name}";`);
});
