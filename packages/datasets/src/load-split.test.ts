import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { expect, it, vi } from "vitest";

import { detectFormat, loadDataset } from "./index.js";
import { folderDirectory, loadDataset as loadInNode } from "./node.js";
import { memoryDirectory } from "./testing/memory-directory.js";

const rows = readFileSync(new URL("../../testing/fixtures/kto/rows.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as { prompt: unknown[]; completion: unknown[]; label: boolean });

const repository = () =>
  memoryDirectory({
    "README.md":
      "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n  - split: test\n    path: data/test-*\n---\n",
    "data/train-00000-of-00002.parquet": ktoMixParquet(rows.slice(0, 20)),
    "data/train-00001-of-00002.parquet": ktoMixParquet(rows.slice(20, 50)),
    "data/test-00000-of-00001.parquet": ktoMixParquet(rows.slice(50)),
  });

it("reads a split of kto-mix-14k's schema, its shards one after the other", async () => {
  const directory = repository();
  const onProgress = vi.fn();
  const train = await loadDataset(directory, { split: "train", onProgress });
  expect(train.toArray()).toEqual(rows.slice(0, 50));
  expect(train.at(20)).toEqual(rows[20]);
  expect(detectFormat(train)).toEqual({ type: "unpaired", conversational: true, layout: "unpaired" });
  expect((await loadDataset(directory, { split: "test" })).toArray()).toEqual(rows.slice(50));
  expect(directory.numOpen()).toBe(0);
  const last = onProgress.mock.calls.at(-1)![0];
  expect(last).toMatchObject({ rows: 50 });
  expect(last.loadedBytes).toBeLessThanOrEqual(last.totalBytes);
});

it("maxRows reads no file and no row group that it does not need", async () => {
  const whole = repository();
  await loadDataset(whole, { split: "train" });
  const some = repository();
  expect((await loadDataset(some, { split: "train", maxRows: 6 })).toArray()).toEqual(rows.slice(0, 6));
  expect(some.opened).toEqual(["README.md", "data/train-00000-of-00002.parquet"]);
  const across = await loadDataset(repository(), { split: "train", maxRows: 23 });
  expect(across.toArray()).toEqual(rows.slice(0, 23));
  await expect(loadDataset(repository(), { split: "train", maxRows: 0 })).rejects.toMatchObject({ code: "ARGUMENT" });
});

it("maxRows reads only the row groups of a large file that it needs", async () => {
  const long = rows.map((row, index) => ({ ...row, completion: [{ role: "assistant", content: randomText(30_000, index) }] }));
  const file = ktoMixParquet(long, 8);
  const directory = memoryDirectory({ "train.parquet": file });
  const dataset = await loadDataset(directory, { split: "train", maxRows: 10 });
  expect(dataset.toArray()).toEqual(long.slice(0, 10));
  expect(directory.bytesRead["train.parquet"]).toBeLessThan(0.65 * file.byteLength); // the footer's read, and two groups of seven
});

it.each([
  ["jsonl", rows.map((row) => JSON.stringify(row)).join("\n")],
  ["json", JSON.stringify(rows)],
])("maxRows of %s are its first rows", async (extension, text) => {
  expect((await loadDataset(text, { name: `rows.${extension}`, maxRows: 3 })).toArray()).toEqual(rows.slice(0, 3));
});

it("maxRows of CSV does not change what a column is taken for", async () => {
  expect((await loadDataset("a,b\n1,x\n2,y\nz,w", { name: "rows.csv", maxRows: 2 })).toArray()).toEqual([
    { a: "1", b: "x" },
    { a: "2", b: "y" },
  ]);
});

it("gives a file back when it cannot be read, and says which one", async () => {
  const directory = memoryDirectory({ "train-1.jsonl": '{"a": 1}', "train-2.jsonl": "{nonsense" });
  await expect(loadDataset(directory, { split: "train" })).rejects.toMatchObject({
    code: "FORMAT",
    source: "owner/name/train-2.jsonl",
    line: 1,
  });
  expect(directory.numOpen()).toBe(0);
  const missing = { ...directory, open: async () => undefined };
  await expect(loadDataset(missing)).rejects.toThrow("owner/name/train-1.jsonl is not there");
});

it("stops between files", async () => {
  await expect(loadDataset(repository(), { split: "train", signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow("stop");
});

it("reads a folder, through links as the hub's cache has them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "kto-datasets-"));
  await mkdir(join(folder, "snapshot", "data"), { recursive: true });
  await writeFile(join(folder, "blob"), ktoMixParquet(rows.slice(0, 5)));
  await symlink(join("..", "..", "blob"), join(folder, "snapshot", "data", "train-00000-of-00001.parquet"));
  await symlink("nowhere", join(folder, "snapshot", "broken.parquet"));
  const directory = folderDirectory(join(folder, "snapshot"));
  expect((await loadInNode(directory, { split: "train" })).toArray()).toEqual(rows.slice(0, 5));
  expect(await directory.open("data/none.parquet")).toBeUndefined();
  await expect(loadInNode(folderDirectory(join(folder, "none")))).rejects.toMatchObject({ code: "DATA_FILE" });
  await rm(folder, { recursive: true });
});

/** Text that does not compress much. */
function randomText(length: number, seed: number): string {
  let state = seed + 1;
  return Array.from({ length }, () => String.fromCharCode(33 + ((state = (state * 48271) % 2147483647) % 90))).join("");
}

/** A Parquet file in the schema of kto-mix-14k: `prompt` and `completion` are `list<struct<content, role>>`, `label` is a bool. */
function ktoMixParquet(rows: readonly { prompt: unknown[]; completion: unknown[]; label: boolean }[], rowGroupSize = 4): Uint8Array {
  type Element = NonNullable<Parameters<typeof parquetWriteBuffer>[0]["schema"]>[number];
  const messages = (name: string): Element[] => [
    { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
    { name: "content", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
    { name: "role", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
  ];
  const file = parquetWriteBuffer({
    columnData: [
      { name: "prompt", data: rows.map(({ prompt }) => prompt) },
      { name: "completion", data: rows.map(({ completion }) => completion) },
      { name: "label", data: rows.map(({ label }) => label) },
    ],
    schema: [
      { name: "schema", num_children: 3 },
      ...messages("prompt"),
      ...messages("completion"),
      { name: "label", type: "BOOLEAN", repetition_type: "OPTIONAL" },
    ],
    rowGroupSize,
  });
  return new Uint8Array(file);
}
