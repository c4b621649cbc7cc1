import type { DataCase } from "./data-case.js";
import { tableFile, tableFolder } from "./tables.js";

const rows = (...numbers: number[]): string =>
  numbers.map((n) => `{"prompt": "p${n}", "completion": "c${n}", "label": ${n % 2 === 0}}\n`).join("");
const csv = (separator: string, ...numbers: number[]): string =>
  ["prompt,completion,label", ...numbers.map((n) => `p${n},c${n},${n % 2 === 0}`)].join("\n").replaceAll(",", separator);
const array = (...numbers: number[]): string =>
  `[${rows(...numbers)
    .trimEnd()
    .replaceAll("\n", ",")}]`;
const card = (...lines: string[]): string => ["---", "configs:", "- config_name: default", ...lines, "---", ""].join("\n");
const saved = tableFolder("saved");
const without = (files: Record<string, Uint8Array>, path: string): Record<string, Uint8Array> =>
  Object.fromEntries(Object.entries(files).filter(([name]) => name !== path));
const read = (count: number, ...says: RegExp[]): DataCase["outcome"] => ({ status: 0, rows: count, ...(says.length > 0 && { says }) });
const refused = (...says: RegExp[]): DataCase["outcome"] => ({ status: 2, says });

/** Parquet, Arrow, folders of several formats, and data cards, as people have them. */
export const tableCases: readonly DataCase[] = [
  { name: "a folder of save_to_disk, shuffled, in two files", files: saved, outcome: read(8) },
  { name: "a folder of DatasetDict.save_to_disk", files: tableFolder("saved-dict"), flags: ["--split", "test"], outcome: read(2) },
  {
    name: "a folder of save_to_disk that lacks a file",
    files: without(saved, "data-00001-of-00002.arrow"),
    outcome: refused(/data-00001-of-00002\.arrow, which state\.json names/),
  },
  {
    name: "a folder of save_to_disk with indices of an old datasets",
    files: {
      ...saved,
      "state.json": '{"_data_files": [{"filename": "data-00000-of-00002.arrow"}], "_indices_data_files": [{"filename": "i.arrow"}]}',
    },
    outcome: refused(/_indices_data_files/),
  },
  {
    name: "one Arrow file of the cache",
    files: { "json-train.arrow": saved["data-00000-of-00002.arrow"]! },
    data: "json-train.arrow",
    outcome: read(4),
  },
  {
    name: "an Arrow file under another name",
    files: { "rows.bin": saved["data-00000-of-00002.arrow"]! },
    data: "rows.bin",
    outcome: read(4),
  },
  {
    name: "an Arrow file that is cut off",
    files: { "train.arrow": saved["data-00000-of-00002.arrow"]!.subarray(0, 700) },
    data: "train.arrow",
    outcome: refused(/train\.arrow is damaged/),
  },
  {
    name: "compressed Arrow",
    files: { "train.arrow": tableFile("zstd.arrow") },
    data: "train.arrow",
    outcome: refused(/compressed/, /to_parquet/),
  },
  { name: "JSON beside JSON Lines", files: { "train/a.jsonl": rows(0, 1), "train/b.json": array(2) }, outcome: read(3) },
  { name: "CSV beside TSV", files: { "train/a.csv": csv(",", 0, 1), "train/b.tsv": csv("\t", 2) }, outcome: read(3) },
  {
    name: "the same rows as JSON Lines and as CSV",
    files: { "train.jsonl": rows(0, 1), "train.csv": csv(",", 0, 1) },
    outcome: read(2, /train\.csv is not read/),
  },
  {
    name: "two CSV files beside one of JSON Lines",
    files: { "train/a.csv": csv(",", 0), "train/b.csv": csv(",", 1), "train/c.jsonl": rows(2) },
    outcome: read(2, /train\/c\.jsonl is not read/),
  },
  {
    name: "Arrow beside JSON Lines",
    files: { "train/a.arrow": saved["data-00000-of-00002.arrow"]!, "train/b.jsonl": rows(0) },
    outcome: read(4, /train\/b\.jsonl is not read/),
  },
  { name: "a state.json that is another program's", files: { "train.jsonl": rows(0, 1), "state.json": '{"step": 3}' }, outcome: read(2) },
  {
    name: "a README.md that names a file twice",
    files: { "README.md": card("  data_files: [a.jsonl, '*.jsonl']"), "a.jsonl": rows(0), "b.jsonl": rows(1) },
    outcome: read(3),
  },
  {
    name: "a README.md with a pattern that matches nothing",
    files: { "README.md": card("  data_files: ['a*.jsonl', 'z*.jsonl']"), "a.jsonl": rows(0), "b.jsonl": rows(1) },
    outcome: read(1, /no file matches z\*\.jsonl/),
  },
  {
    name: "a README.md that names a file that is not there",
    files: { "README.md": card("  data_files: [a.jsonl, z.jsonl]"), "a.jsonl": rows(0), "b.jsonl": rows(1) },
    outcome: refused(/not all of the data files.*expected z\.jsonl/),
  },
  {
    name: "a README.md with a split that has no file",
    files: {
      "README.md": card("  data_files:", "  - {split: train, path: a.jsonl}", "  - {split: test, path: 'z*.jsonl'}"),
      "a.jsonl": rows(0),
      "b.jsonl": rows(1),
    },
    flags: ["--split", "test"],
    outcome: refused(/declares for "test".*expected z\*\.jsonl/),
  },
  {
    name: "a README.md with a split twice",
    files: {
      "README.md": card("  data_files:", "  - {split: train, path: a.jsonl}", "  - {split: train, path: b.jsonl}"),
      "a.jsonl": rows(0),
      "b.jsonl": rows(1),
    },
    outcome: refused(/expected each split once/),
  },
  {
    name: "a README.md with a backward range",
    files: { "README.md": card("  data_files: '[z-a].jsonl'"), "a.jsonl": rows(0), "b.jsonl": rows(1) },
    outcome: refused(/expected \[z-a\]\.jsonl/),
  },
  {
    name: "the folder of a model",
    files: { "config.json": "{}", "tokenizer.json": "{}", "model.safetensors": "x" },
    outcome: refused(/is the folder of a model/),
  },
  {
    name: "the folder of an adapter",
    files: { "adapter_config.json": '{"peft_type": "LORA"}', "adapter_model.safetensors": "x" },
    outcome: refused(/is the folder of an adapter/),
  },
  {
    name: "the output of a run",
    files: {
      "metrics.jsonl": '{"loss": 1}\n',
      "resolved_config.yaml": "a: 1\n",
      "adapter_config.json": "{}",
      "checkpoint-3/trainer_state.json": "{}",
    },
    outcome: refused(/is the output of a training run/),
  },
  {
    name: "rows beside a model",
    files: { "config.json": "{}", "tokenizer.json": "{}", "model.safetensors": "x", "rows.jsonl": rows(0, 1) },
    outcome: read(2),
  },
  { name: "a folder without data", files: { "notes.txt": "x", "more/notes.md": "x" }, outcome: refused(/has no data file/) },
  {
    name: "a Parquet file that is cut off",
    files: { "train.parquet": tableFile("main.snappy.parquet").subarray(0, 2000) },
    data: "train.parquet",
    outcome: refused(/train\.parquet is cut off/, /download it/),
  },
  {
    name: "a Parquet file that ends the process",
    files: { "train.parquet": tableFile("hostile.rle-run.parquet") },
    data: "train.parquet",
    outcome: refused(/train\.parquet is damaged/),
  },
  {
    name: "a Parquet file that becomes gigabytes",
    files: { "train.parquet": tableFile("bomb.nulls.parquet") },
    data: "train.parquet",
    outcome: refused(/train\.parquet becomes too large/),
  },
];
