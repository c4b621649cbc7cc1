import { describe, expect, it } from "vitest";

import { findSplitFiles, loadDataset } from "./index.js";
import { memoryDirectory } from "./testing/memory-directory.js";
import { tableFolder, tagged, tableValues } from "./testing/tables.js";

const text = (files: Record<string, Uint8Array>, path: string): string => new TextDecoder().decode(files[path]);

describe("a folder of save_to_disk", () => {
  it("has the rows of load_from_disk, in their order", async () => {
    const expected = tableValues("saved");
    const rows = (await loadDataset(memoryDirectory(tableFolder("saved")))).toArray();
    expect(rows.map((row, index) => tagged(row, expected[index]!))).toEqual(expected);
    const files = { ...tableFolder("saved") };
    files["state.json"] = new TextEncoder().encode(
      text(files, "state.json")
        .replace(/data-00000-of-00002/, "X")
        .replace(/data-00001-of-00002/, "data-00000-of-00002")
        .replace("X", "data-00001-of-00002"),
    );
    const swapped = (await loadDataset(memoryDirectory(files))).toArray();
    expect(swapped).toEqual([...rows.slice(4), ...rows.slice(0, 4)]);
  });

  it("has the columns that the data set showed", async () => {
    const dataset = await loadDataset(memoryDirectory(tableFolder("saved-columns")));
    expect(dataset.columnNames).toEqual(["prompt", "label"]);
    expect(dataset.at(0)).toEqual({ prompt: "p5", label: true });
    const all = tableFolder("saved-columns");
    all["state.json"] = new TextEncoder().encode(
      text(all, "state.json").replace('"_output_all_columns": false', '"_output_all_columns": true'),
    );
    expect((await loadDataset(memoryDirectory(all))).columnNames).toEqual(["prompt", "completion", "label", "weight"]);
  });

  it("with splits is read like other folders with splits", async () => {
    const directory = memoryDirectory(tableFolder("saved-dict"));
    const expected = tableValues("calls");
    const train = (await loadDataset(directory, { split: "training" })).toArray();
    expect(train.map((row, index) => tagged(row, expected[index]!))).toEqual(expected);
    expect((await findSplitFiles(directory, { split: "eval" })).files).toEqual([
      { path: "test/data-00000-of-00001.arrow", size: expect.any(Number) },
    ]);
    await expect(loadDataset(directory)).rejects.toThrow("has several splits; expected one of train, test, got none");
    await expect(loadDataset(directory, { split: "validation" })).rejects.toThrow('has no split "validation"; expected one of train, test');
    await expect(loadDataset(directory, { split: "train", config: "x" })).rejects.toThrow("since save_to_disk wrote it");
  });

  it.each<[string, string, string]>([
    ["state.json", "{", "owner/name has no data file"],
    ["state.json", '{"_data_files": 3}', "_data_files of owner/name/state.json is malformed; expected a list of {filename}"],
    ["state.json", '{"_data_files": [{"filename": 3}]}', "_data_files of owner/name/state.json"],
    ["state.json", '{"_data_files": []}', "was saved without a row"],
    ["state.json", '{"_data_files": [{"filename": "../x.arrow"}]}', "expected the file ../x.arrow"],
    ["state.json", '{"_data_files": [], "_format_columns": {}}', "_format_columns of owner/name/state.json"],
    ["state.json", '{"_data_files": [], "_split": 1}', "_split of owner/name/state.json"],
    ["dataset_dict.json", "[1", "owner/name/dataset_dict.json is not JSON"],
    ["dataset_dict.json", '{"splits": "train"}', "splits of owner/name/dataset_dict.json is malformed"],
    ["dataset_dict.json", '{"splits": ["train"]}', "expected train/state.json, which dataset_dict.json names"],
  ])("whose %s is %s is refused", async (path, content, message) => {
    await expect(loadDataset(memoryDirectory({ [path]: content, "dataset_info.json": "{}" }))).rejects.toThrow(message);
  });
});
