import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../../docs/site/repository.js";

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const numbersIn = (text: string): string[] => text.replace(/(\d),(?=\d{3})/g, "$1").match(/(?<![\w.-])\d+(\.\d+)?/g) ?? [];
const recorded = [...new Set(numbersIn(read("bench/results/README.md")))].map(Number);

/** A number that is a recorded one, rounded to its own digits; or MiB as GiB. */
function isRecorded(number: string): boolean {
  const half = 0.5 * 10 ** -(number.split(".")[1]?.length ?? 0) + 1e-9;
  return recorded.some((known) => [known, known / 1024].some((value) => Math.abs(value - Number(number)) <= half));
}

/** Cells of the tables of a part of a page, without the first column, which names the case. */
function tableCells(path: string, from: string): string[] {
  const text = read(path);
  const start = text.indexOf(from);
  if (start < 0) throw new Error(`${path} has no ${from}`);
  const rows = text
    .slice(start)
    .split("\n")
    .filter((line) => line.startsWith("|"));
  return rows.flatMap((row) =>
    numbersIn(
      row
        .replace(/\]\([^)]*\)/g, "")
        .split("|")
        .slice(2)
        .join(" "),
    ),
  );
}

// Numbers of speed and memory stand once as they were measured, with device and date; what else is said of them is taken from there.
it.each([
  ["README.md", "## Beside trl and Unsloth"],
  ["docs/under-the-floor/speed.md", "# How fast"],
  ["docs/start/hardware.md", "## How much memory"],
])("every number in the tables of %s, %s, is in bench/results", (path, from) => {
  const numbers = tableCells(path, from);
  expect(numbers.length).toBeGreaterThan(8);
  expect(numbers.filter((number) => !isRecorded(number))).toEqual([]);
});

it("a number that was not measured is found", () => {
  expect(["305", "13.1", "2.54", "7.7"].filter((number) => !isRecorded(number))).toEqual([]);
  expect(isRecorded("13.9")).toBe(false);
});
