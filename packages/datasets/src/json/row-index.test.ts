import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Float } from "@kto/core";
import { afterAll, describe, expect, it } from "vitest";
import type { DataRow, Dataset, RowIndexStore } from "../index.js";
import { folderDirectory, loadDataset } from "../node.js";
import { NumberTypes } from "./number-types.js";

const root = mkdtempSync(join(tmpdir(), "kto-index-"));
afterAll(() => rmSync(root, { recursive: true }));

/** A store in memory, and what was done with it. */
function store(): RowIndexStore & { entries: Map<string, { index: Uint8Array; facts: string }>; numWritten: () => number } {
  const entries = new Map<string, { index: Uint8Array; facts: string }>();
  let numWritten = 0;
  const name = (key: readonly (string | Uint8Array)[]): string => key.map((part) => Buffer.from(part).toString("latin1")).join("|");
  return {
    entries,
    numWritten: () => numWritten,
    open: async (key) => entries.get(name(key)),
    create: async (key) => ({
      finish: async (index, facts) => (numWritten++, void entries.set(name(key), { index: Uint8Array.from(index), facts })),
      discard: () => {},
    }),
  };
}

/** Several blocks, letters of several bytes, a number that is a float in another row. */
const text = Array.from({ length: 4000 }, (_, index) =>
  JSON.stringify({
    prompt: `é ${index}`.repeat(1 + (index % 9)),
    tools: [{ n: index === 3999 ? 0.5 : index }],
    ...(index === 7 && { more: null }),
  }),
).join("\n");

let count = 0;
function write(content: string): string {
  const path = join(root, `${count++}.jsonl`);
  writeFileSync(path, content);
  return path;
}
const read = (path: string, rowIndex?: RowIndexStore): Promise<Dataset> => loadDataset(path, { maxResidentBytes: 1000, rowIndex });
const told = (dataset: Dataset): unknown => [dataset.length, dataset.columnNames, dataset.fingerprint, dataset.toArray()];

describe("the index of a file that is kept", () => {
  it("gives the rows that going through the file gives, and their fingerprint, without reading one", async () => {
    const path = write(text);
    const index = store();
    const fresh = told(await read(path));
    expect((fresh as [number, string[], string, DataRow[]])[3][1]!["tools"]).toEqual([{ n: new Float(1) }]);
    expect(told(await read(path, index)), "as it is made").toEqual(fresh);
    expect(told(await read(path, index)), "as it is found").toEqual(fresh);
    expect(index.numWritten()).toBe(1);
    for (const [key, entry] of index.entries) index.entries.set(key, { ...entry, facts: entry.facts.replace('"prompt"', '"asked"') });
    expect((await read(path, index)).columnNames, "it was found").toContain("asked");
  });

  it("with a mark of UTF-8 too", async () => {
    const path = write(`\uFEFF${text}`);
    const index = store();
    const fresh = told(await read(path));
    for (let start = 0; start < 2; start++) expect(told(await read(path, index))).toEqual(fresh);
    expect(index.numWritten()).toBe(1);
  });

  it("is made again for a file of the same size and beginning that is another", async () => {
    const index = store();
    await read(write(text), index);
    const changed = write(text.replace("3999", "3998"));
    expect(told(await read(changed, index))).toEqual(told(await read(changed)));
    expect(index.numWritten()).toBe(2);
    expect(index.entries.size).toBe(1);
  });

  it("is not made of a small file, of the first rows, or of one that cannot be read", async () => {
    const index = store();
    await loadDataset(write(text), { rowIndex: index });
    await loadDataset(write(text), { rowIndex: index, maxResidentBytes: 0, maxRows: 10 });
    await expect(read(write(`${text}\n{"prompt": `), index)).rejects.toThrow(/readJson/);
    expect(index.numWritten()).toBe(0);
  });

  it("knows what of the types of several files is its own", async () => {
    const [first, second] = [join(root, "both", "data"), join(root, "one", "data")];
    for (const folder of [first, second]) writeFiles(folder, folder === first);
    const index = store();
    const load = (folder: string, rowIndex?: RowIndexStore): Promise<Dataset> =>
      loadDataset(folderDirectory(folder), { maxResidentBytes: 0, rowIndex });
    const fresh = [told(await load(first)), told(await load(second))];
    expect([told(await load(first, index)), told(await load(second, index))]).toEqual(fresh);
    expect(index.numWritten()).toBe(2);
    expect([told(await load(first, index)), told(await load(second, index))]).toEqual(fresh);
    expect(index.numWritten()).toBe(2);
  });

  function writeFiles(folder: string, withFloats: boolean): void {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "train-0.jsonl"), '{"a": [{"n": 1}]}\n{"a": [{"n": 2}]}');
    if (withFloats) writeFileSync(join(folder, "train-1.jsonl"), '{"a": [{"n": 1.5}], "b": 1}');
  }
});

it.each<[string, DataRow[], DataRow[]]>([
  ["integers and floats", [{ a: [1] }], [{ a: [1.5] }]],
  ["the same keys", [{ a: [{ x: 1, y: null }] }], [{ a: [{ y: 2.5, x: 3 }] }]],
  ["other keys", [{ a: [{ x: 1 }] }], [{ a: [{ x: 2.5, y: 3 }] }]],
  ["a key under another name", [{ a: [{ x: 1 }] }], [{ a: [{ y: 2.5 }] }]],
  ["lists beside objects", [{ a: [{ x: 1 }] }], [{ a: [[2.5]] }, { a: [{ x: 2.5 }] }]],
  ["values beside lists", [{ a: { x: 1 } }], [{ a: { x: [1.5] } }, { a: { x: 2.5 } }]],
  ["nulls alone", [{ a: null }], [{ a: { x: 1 } }, { a: { x: 1.5 } }]],
  ["objects without keys", [{ a: { x: {} } }], [{ a: { x: { y: 1 } } }, { a: { x: { y: 1.5 } } }]],
  ["text beside numbers", [{ a: { x: "1" } }], [{ a: { x: 1 } }, { a: { x: 1.5 } }]],
  ["NaN", [{ a: { x: Number.NaN, y: "" } }], [{ a: { x: 1, y: "" } }]],
])("types learnt of two parts are those of all rows: %s", (_what, first, second) => {
  const rows = [...first, ...second];
  const whole = new NumberTypes();
  const parts = [first, second].map((part) => {
    const types = new NumberTypes();
    for (const row of part) types.add(row);
    types.noteWords(part === first ? "" : "NaN");
    return JSON.parse(JSON.stringify(types.state())) as ReturnType<NumberTypes["state"]>;
  });
  for (const row of rows) whole.add(row);
  whole.noteWords("NaN");
  const joined = new NumberTypes();
  for (const part of parts) joined.learn(part);
  const typed = (types: NumberTypes): DataRow[] => structuredClone(rows).map((row) => types.apply(row));
  expect(typed(joined)).toEqual(typed(whole));
  const reversed = new NumberTypes();
  for (const part of parts.toReversed()) reversed.learn(part);
  expect(typed(reversed)).toEqual(typed(whole));
});
