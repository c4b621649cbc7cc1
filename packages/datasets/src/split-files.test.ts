import { describe, expect, it } from "vitest";

import { findSplitFiles, type SplitChoice } from "./index.js";
import { memoryDirectory } from "./testing/memory-directory.js";

const withFiles = (paths: string[], readme?: string) =>
  memoryDirectory({ ...Object.fromEntries(paths.map((path) => [path, "x"])), ...(readme === undefined ? {} : { "README.md": readme }) });

const found = async (paths: string[], choice?: SplitChoice, readme?: string): Promise<string[]> =>
  (await findSplitFiles(withFiles(paths, readme), choice)).files.map(({ path }) => path);

const sharded = ["data/train-00001-of-00002.parquet", "data/train-00000-of-00002.parquet", "data/test-00000-of-00001.parquet"];

describe("by names", () => {
  it.each<[string, string[], string, string[]]>([
    ["shards, in order", sharded, "train", ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]],
    ["shards of a split of any name", ["data/train_sft-00000-of-00001.parquet"], "train_sft", ["data/train_sft-00000-of-00001.parquet"]],
    ["shards before other files", [...sharded, "old/test.jsonl"], "test", ["data/test-00000-of-00001.parquet"]],
    ["a file for each split", ["train.jsonl", "test.jsonl", "README.txt"], "train", ["train.jsonl"]],
    ["a word within a name", ["my-train_2.csv", "my-dev.csv"], "train", ["my-train_2.csv"]],
    ["folders", ["default/train/0000.parquet", "default/test/0000.parquet"], "test", ["default/test/0000.parquet"]],
    ["validation as dev", ["train.json", "dev.json"], "validation", ["dev.json"]],
    ["eval for test", ["train.json", "test.json"], "eval", ["test.json"]],
    ["val for validation", ["train.json", "validation.json"], "val", ["validation.json"]],
    ["no words: all is train", ["b.jsonl", "a.jsonl", "config.json", ".cache/c.jsonl"], "train", ["a.jsonl", "b.jsonl"]],
    ["not part of a word", ["trainer.jsonl", "contest.jsonl"], "train", ["contest.jsonl", "trainer.jsonl"]],
    ["an archive of something compressed, which its reader refuses", ["train.json.gz.zip"], "train", ["train.json.gz.zip"]],
    ["one format of several", ["train.csv", "train.parquet"], "train", ["train.parquet"]],
  ])("%s", async (_what, paths, split, expected) => expect(await found(paths, { split })).toEqual(expected));

  it("takes the only split when none is named, and asks where there are several", async () => {
    expect(await findSplitFiles(withFiles(["rows.jsonl"]))).toEqual({
      split: "train",
      files: [{ path: "rows.jsonl", size: 1 }],
      notes: [],
    });
    await expect(found(sharded)).rejects.toThrow("owner/name has several splits; expected one of test, train, got none");
  });

  it("lists what there is for a split that is not there, and for no data at all", async () => {
    await expect(found(sharded, { split: "validation" })).rejects.toMatchObject({
      code: "DATA_FILE",
      message: expect.stringContaining('has no split "validation"; expected one of test, train'),
    });
    await expect(found(["notes.doc", "config.json"])).rejects.toThrow(
      "owner/name has no data file; expected .parquet, .arrow, .jsonl, .json, .csv or .tsv, got notes.doc",
    );
    await expect(found([])).rejects.toThrow("got no file");
  });
});

describe("by README.md", () => {
  const readme = [
    "---",
    "license: mit",
    "configs:",
    "- config_name: default",
    "  data_files:",
    "  - split: train",
    "    path: data/tr*",
    "  - split: heldout",
    "    path: [data/b.jsonl, 'more/**/*.jsonl']",
    "- config_name: raw",
    "  data_files: raw/*.csv",
    "- config_name: folder",
    "  data_dir: parts",
    "---",
    "# A data set",
  ].join("\n");
  const paths = [
    "data/b.jsonl",
    "data/tr.jsonl",
    "more/c.jsonl",
    "more/x/d.jsonl",
    "raw/1.csv",
    "raw/x/2.csv",
    "parts/test.csv",
    "parts/train.csv",
  ];

  it.each<[SplitChoice, string[]]>([
    [{ split: "train" }, ["data/tr.jsonl"]],
    [{ split: "heldout" }, ["data/b.jsonl", "more/c.jsonl", "more/x/d.jsonl"]],
    [{ config: "raw" }, ["raw/1.csv"]],
    [{ config: "folder", split: "test" }, ["parts/test.csv"]],
  ])("%j", async (choice, expected) => {
    expect(await found(paths, choice, readme)).toEqual(expected);
    expect(await found(paths, choice, readme.replaceAll("\n", "\r\n"))).toEqual(expected);
  });

  it("takes the configuration marked default, and asks where none is", async () => {
    const two = (mark: string) =>
      `---\nconfigs:\n- config_name: a\n  data_files: a.csv\n- config_name: b\n  data_files: b.csv\n${mark}---\n`;
    expect(await found(["a.csv", "b.csv"], {}, two("  default: true\n"))).toEqual(["b.csv"]);
    await expect(found(["a.csv", "b.csv"], {}, two(""))).rejects.toThrow("several configurations; expected one of a, b, got none");
    await expect(found(["a.csv"], { config: "c" }, two(""))).rejects.toThrow('no configuration "c"; expected one of a, b');
    await expect(found(["a.csv"], { config: "c" })).rejects.toThrow('no configuration "c"; expected one of default');
  });

  it("goes by names where the head declares nothing, and says what is malformed", async () => {
    expect(await found(["train.csv"], {}, "---\nlicense: mit\n---\n")).toEqual(["train.csv"]);
    expect(await found(["train.csv"], {}, "# No head\n\n---\n")).toEqual(["train.csv"]);
    await expect(found(["a.csv"], {}, "---\nconfigs: [\n---\n")).rejects.toMatchObject({ code: "FORMAT", source: "owner/name/README.md" });
    await expect(found(["a.csv"], {}, "---\nconfigs: 3\n---\n")).rejects.toThrow(
      "configs in the head of owner/name/README.md is malformed",
    );
    await expect(found(["a.csv"], {}, "---\nconfigs:\n- config_name: a\n  data_files: [{split: 3}]\n---\n")).rejects.toThrow("data_files");
    await expect(found(["a.csv"], {}, "---\nconfigs:\n- config_name: a\n  data_files: b.csv\n---\n")).rejects.toThrow(
      'none of the data files that its README.md declares for "train" of "a"; expected b.csv, got README.md, a.csv',
    );
  });
});
