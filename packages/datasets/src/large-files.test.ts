import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { stringifyJson } from "@kto/core";
import { afterAll, describe, expect, it } from "vitest";
import { Dataset } from "./dataset.js";
import { folderDirectory, loadDataset } from "./node.js";
import { unpairPreferenceDataset } from "./unpair.js";

const folder = mkdtempSync(join(tmpdir(), "kto-large-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const rows = Array.from({ length: 1500 }, (_, index) => ({
  prompt: `row ${index}: ä €\n`,
  completion: "x".repeat((index * 37) % 900),
  label: index % 3 === 0,
  info: { score: index % 2 === 0 ? 1 : 2.5 },
}));
const lines = rows.map((row) => JSON.stringify(row)).join("\n");
const csv = `prompt,completion,label\n${rows.map(({ prompt, completion, label }) => `"${prompt}",${completion},${label}`).join("\r\n")}\r\n`;

/** Several blocks of records each: more than 256 KiB. */
const files: [what: string, name: string, content: string | Uint8Array][] = [
  ["JSON Lines", "lines.jsonl", lines],
  ["JSON Lines with a mark and blank lines", "mark.jsonl", `\ufeff\n${lines.replaceAll("\n", "\n\n")}`],
  ["an array", "array.json", `[${lines.replaceAll("\n", ",\n")}]`],
  ["UTF-16", "wide.jsonl", new Uint8Array(Buffer.from(`\ufeff${lines}`, "utf16le"))],
  ["gzip", "lines.jsonl.gz", gzipSync(lines)],
  ["CSV", "table.csv", csv],
];

describe.each(files)("%s", (_, name, content) => {
  it("is read where it lies as it is from memory, in any order", async () => {
    const path = file(name, content);
    const held = await loadDataset(path);
    const lying = await loadDataset(path, { maxResidentBytes: 0 });
    expect(held).toHaveLength(rows.length);
    expect(lying.columnNames).toEqual(held.columnNames);
    expect(stringifyJson(lying.toArray())).toBe(stringifyJson(held.toArray()));
    expect(stringifyJson(lying.shuffle(7).take(50).toArray())).toBe(stringifyJson(held.shuffle(7).take(50).toArray()));
    expect(lying.fingerprint).toBe(held.fingerprint);
  });
});

it("refuses to go on reading a file that was changed", async () => {
  const path = file("changed.jsonl", lines);
  const dataset = await loadDataset(path, { maxResidentBytes: 0 });
  expect(dataset.at(0)["prompt"]).toBe(rows[0]!.prompt);
  appendFileSync(path, "\n{}\n");
  expect(() => dataset.at(1499)).toThrow(/changed\.jsonl was changed while its rows were being read/);
});

describe("a fingerprint", () => {
  const load = (name: string, text: string): Promise<Dataset> => loadDataset(file(name, text));

  it("is that of the rows, whatever the file is called", async () => {
    const [first, same, other] = await Promise.all([
      load("a.jsonl", lines),
      load("b.jsonl", lines),
      load("c.jsonl", `${lines}\n{"prompt": 1}`),
    ]);
    expect(first.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(same.fingerprint).toBe(first.fingerprint);
    expect(other.fingerprint).not.toBe(first.fingerprint);
  });

  it("tells every view from every other", async () => {
    const whole = await load("a.jsonl", lines);
    const views = [
      whole,
      whole.take(5),
      whole.take(6),
      whole.select([0, 1, 2, 3, 4]),
      whole.shuffle(1),
      whole.shuffle(2),
      whole.removeColumns("info"),
      whole.renameColumns({ info: "other" }),
      Dataset.concatenate([whole, whole]),
      Dataset.concatenate([whole, whole], { names: ["first", "second"] }),
      Dataset.concatenate([whole, whole], { names: ["first", "third"] }),
      unpairPreferenceDataset(whole),
      unpairPreferenceDataset(whole, 7),
      await loadDataset(join(folder, "a.jsonl"), { maxRows: 5 }),
    ];
    const fingerprints = views.map(({ fingerprint }) => fingerprint);
    expect(fingerprints).not.toContain(undefined);
    expect(new Set(fingerprints).size).toBe(views.length);
    expect(whole.take(5).fingerprint).toBe(whole.take(5).fingerprint);
  });

  it("is not known of rows that a program made", async () => {
    const whole = await load("a.jsonl", lines);
    expect(Dataset.from(rows).fingerprint).toBeUndefined();
    expect(whole.map((row) => row).fingerprint).toBeUndefined();
    expect(Dataset.concatenate([whole, Dataset.from<Record<string, unknown>>(rows)]).fingerprint).toBeUndefined();
  });

  it("of a split depends on each of its files", async () => {
    const loadFolder = (): Promise<Dataset> => loadDataset(folderDirectory(join(folder, "parts")), { split: "train" });
    mkdirSync(join(folder, "parts"));
    file("parts/train-1.jsonl", lines);
    file("parts/train-2.jsonl", '{"prompt": "a", "completion": "b", "label": true, "info": {"score": 1}}');
    const before = await loadFolder();
    file("parts/train-2.jsonl", '{"prompt": "a", "completion": "b", "label": false, "info": {"score": 1}}');
    expect((await loadFolder()).fingerprint).not.toBe(before.fingerprint);
  });
});
