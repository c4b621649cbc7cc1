import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { loadDataset, readCsv, readJson, readParquet } from "./node.js";

const fixture = (name: string): string => fileURLToPath(new URL(`../../testing/fixtures/${name}`, import.meta.url));

describe("readers of files", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kto-datasets-"));
    await writeFile(join(folder, "rows.csv"), "prompt,completion,label\nhi,yes,1\n");
    await writeFile(join(folder, "rows.json"), '[{"a": 1}]');
    await writeFile(join(folder, "empty.jsonl"), "");
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("reads each format, and finds the format itself", async () => {
    const rows = (await readJson(fixture("kto/rows.jsonl"))).toArray();
    expect(rows).toHaveLength(56);
    expect((await readParquet(fixture("parquet/rows.zstd.parquet"))).toArray()).toEqual(rows.slice(0, 25));
    expect((await loadDataset(fixture("parquet/rows.gzip.parquet"))).toArray()).toEqual(rows.slice(0, 25));
    expect((await loadDataset(fixture("kto/rows.jsonl"))).toArray()).toEqual(rows);
    expect((await readCsv(join(folder, "rows.csv"))).toArray()).toEqual([{ prompt: "hi", completion: "yes", label: 1 }]);
    expect((await readJson(join(folder, "rows.json"))).toArray()).toEqual([{ a: 1 }]);
  });

  it("says which path is missing, a folder or empty", async () => {
    await expect(readJson(join(folder, "none.jsonl"))).rejects.toMatchObject({
      code: "DATA_FILE",
      file: join(folder, "none.jsonl"),
      message: expect.stringContaining("does not exist"),
    });
    await expect(loadDataset(folder)).rejects.toThrow("is not a file; expected a data file, got a folder");
    await expect(loadDataset(join(folder, "empty.jsonl"))).rejects.toThrow("is empty");
    await expect(readJson(join(folder, "empty.jsonl"))).rejects.toThrow(`${join(folder, "empty.jsonl")} holds no rows`);
  });
});
