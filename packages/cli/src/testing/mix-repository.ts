import { readdirSync, readFileSync } from "node:fs";

/** Row of `fixtures/kto/rows.jsonl`. */
export interface MixRow {
  prompt: unknown[];
  completion: unknown[];
  label: boolean;
}

/** Writes rows as a file of a data set. */
export interface RowFormat {
  extension: string;
  write(rows: readonly MixRow[]): string | Uint8Array;
}

const fixtures = new URL("../../../testing/fixtures/", import.meta.url);
const jsonLines: RowFormat = { extension: "jsonl", write: (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join("") };

/** The rows of `fixtures/kto/rows.jsonl`. */
export function mixRows(): MixRow[] {
  const lines = readFileSync(new URL("kto/rows.jsonl", fixtures), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as MixRow);
}

/** The files of a folder of fixtures by name, as a repository holds them. */
export function filesOf(folder: string): Record<string, Uint8Array> {
  const place = new URL(`${folder}/`, fixtures);
  return Object.fromEntries(readdirSync(place).map((name) => [name, new Uint8Array(readFileSync(new URL(name, place)))]));
}

/** A data set laid out as trl-lib/kto-mix-14k is: a card that declares the splits, and numbered files of each. */
export function mixRepository(
  train: readonly MixRow[][],
  test: readonly MixRow[],
  { extension, write }: RowFormat = jsonLines,
): Record<string, string | Uint8Array> {
  const split = (name: string, parts: readonly (readonly MixRow[])[]): [string, string | Uint8Array][] =>
    parts.map((rows, index) => [`data/${name}-${number(index)}-of-${number(parts.length)}.${extension}`, write(rows)]);
  return {
    ".gitattributes": "*.parquet filter=lfs diff=lfs merge=lfs -text\n",
    "README.md":
      "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n  - split: test\n    path: data/test-*\n---\n# KTO mix\n",
    ...Object.fromEntries([...split("train", train), ...split("test", [test])]),
  };
}

const number = (value: number): string => String(value).padStart(5, "0");
