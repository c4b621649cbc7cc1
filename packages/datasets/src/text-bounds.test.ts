import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

interface Outcome {
  bytes: number;
  rows?: number;
  error?: { code: string; message: string };
  /** The most memory that the process ever had. */
  memory: number;
  /** Seconds of the processor. */
  seconds: number;
}

const peakMemoryModule = new URL("../../testing/src/peak-memory.ts", import.meta.url).href;

/** Reads what `text` (an expression) gives, in a process of its own. */
function outcomeOf(text: string, name: string): Outcome {
  const script = `
    import { loadDataset } from "@kto/datasets";
    import { peakMemory } from ${JSON.stringify(peakMemoryModule)};
    const bytes = Buffer.from(${text});
    const before = process.cpuUsage();
    const outcome = { bytes: bytes.length };
    try {
      outcome.rows = (await loadDataset(bytes, { name: ${JSON.stringify(name)} })).length;
    } catch ({ code, message }) {
      outcome.error = { code, message };
    }
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ ...outcome, memory: peakMemory(), seconds: (user + system) / 1e6 }));`;
  const command = ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", script];
  return JSON.parse(
    execFileSync(process.execPath, command, { cwd: fileURLToPath(new URL("..", import.meta.url)), encoding: "utf8" }),
  ) as Outcome;
}

/** The bounds of every reader: 256 MB and twice the file; a time in proportion to the file, ten times what it takes here alone. */
function expectBounds({ bytes, memory, seconds }: Outcome): void {
  expect(memory).toBeLessThan(256 * 2 ** 20 + 2 * bytes);
  expect(seconds).toBeLessThan(10 + bytes / 5e6);
}

it.each([
  ["3,000,000 rows of one cell", '"a\\n" + "1\\n".repeat(3e6)', "rows.csv", 3e6],
  ["2,000,000 empty rows", '"{}\\n".repeat(2e6)', "rows.jsonl", 2e6],
  ["a text of 60 MB", '`{"a": "${"x".repeat(6e7)}"}`', "rows.jsonl", 1],
  ["a cell of 60 MB", '`a\\n"${"x\\n".repeat(3e7)}"`', "rows.csv", 1],
  ["a header of 100,000 columns, all of one name", '"c,".repeat(1e5) + "\\n" + "1,".repeat(1e5) + "\\n"', "rows.csv", 1],
  ["60 MB of blanks before a row", '" \\n".repeat(3e7) + "{}"', "rows.jsonl", 1],
])("%s are read within bounds", (_what, text, name, rows) => {
  const outcome = outcomeOf(text, name);
  expect(outcome).toMatchObject({ rows });
  expectBounds(outcome);
});

it.each([
  ["30,000,000 numbers in a row", '`{"a": [${"1,".repeat(3e7)}1]}`', "rows.jsonl", /too many values; expected at most 2097152/],
  ["15,000,000 levels", '`{"a": ${"[".repeat(15e6)}`', "rows.json", /nests too deeply; expected at most 500 levels/],
  ["a quote that is never closed", '`a\\n"${"x\\n".repeat(3e7)}`', "rows.csv", /a quoted cell is never closed/],
  ["a row of 200 MB", 'Buffer.alloc(2e8, "[")', "rows.json", /a row of rows.json is too long; expected at most 134217728 bytes/],
])("%s are refused within bounds", (_what, text, name, message) => {
  const outcome = outcomeOf(text, name);
  expect(outcome).toMatchObject({ error: { code: "FORMAT", message: expect.stringMatching(message) } });
  expectBounds(outcome);
});
