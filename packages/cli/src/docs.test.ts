import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { ignoredFields, refusedFields } from "./config/foreign-fields.js";
import { trainFields } from "./config/train-fields.js";

const page = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");
const table = new Map(
  Array.from(page.matchAll(/^\| `(\w+)` \| (supported|different|refused|ours) \| `?([^|`]*?)`? \|/gm), ([, field, , initial]) => [
    field!,
    initial!.trim(),
  ]),
);

it("docs/cli.md has a row for each field of kto train, with its default", () => {
  expect([...table.keys()].sort()).toEqual(Object.keys(trainFields).sort());
  const differing = Object.entries(trainFields).filter(([field, { initial }]) => {
    const written = table.get(field)!;
    if (initial === null) return written !== "" && written !== "null";
    return typeof initial === "number"
      ? Number(written) !== initial
      : JSON.stringify(written) !== JSON.stringify(initial).replace(/^(true|false)$/, '"$1"');
  });
  expect(differing.map(([field]) => field)).toEqual([]);
});

it("docs/cli.md names every field of trl, peft and transformers that is refused or has no effect", () => {
  const unnamed = [...Object.keys(refusedFields), ...ignoredFields].filter((field) => !page.includes(`\`${field}\``));
  expect(unnamed).toEqual([]);
});
