import { readdirSync, readFileSync } from "node:fs";
import { fixturePath } from "@kto/testing";
import { parquetWriteBuffer } from "hyparquet-writer";

/** Row of `fixtures/kto/rows.jsonl`. */
export interface MixRow {
  prompt: unknown[];
  completion: unknown[];
  label: boolean;
}

/** The rows of `fixtures/kto/rows.jsonl`, as text of the file and as values. */
export function mixRows(): MixRow[] {
  const text = readFileSync(fixturePath("kto", "rows.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as MixRow);
}

/** The files of a folder of fixtures by name, as a repository holds them. */
export function filesOf(...folder: string[]): Record<string, Uint8Array> {
  return Object.fromEntries(
    readdirSync(fixturePath(...folder)).map((name) => [name, new Uint8Array(readFileSync(fixturePath(...folder, name)))]),
  );
}

/** A data set laid out as trl-lib/kto-mix-14k is: a card that declares the splits, and Parquet files in its schema. */
export function mixRepository(train: readonly MixRow[][], test: readonly MixRow[]): Record<string, string | Uint8Array> {
  const number = (index: number): string => String(index).padStart(5, "0");
  return {
    ".gitattributes": "*.parquet filter=lfs diff=lfs merge=lfs -text\n",
    "README.md":
      "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n  - split: test\n    path: data/test-*\n---\n# KTO mix\n",
    ...Object.fromEntries(train.map((rows, index) => [`data/train-${number(index)}-of-${number(train.length)}.parquet`, parquetOf(rows)])),
    "data/test-00000-of-00001.parquet": parquetOf(test),
  };
}

/** `prompt` and `completion` are `list<struct<content, role>>`, `label` is a bool. */
function parquetOf(rows: readonly MixRow[]): Uint8Array {
  type Element = NonNullable<Parameters<typeof parquetWriteBuffer>[0]["schema"]>[number];
  const messages = (name: string): Element[] => [
    { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
    { name: "content", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
    { name: "role", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
  ];
  const file = parquetWriteBuffer({
    columnData: (["prompt", "completion", "label"] as const).map((name) => ({ name, data: rows.map((row) => row[name]) })),
    schema: [
      { name: "schema", num_children: 3 },
      ...messages("prompt"),
      ...messages("completion"),
      { name: "label", type: "BOOLEAN", repetition_type: "OPTIONAL" },
    ],
    rowGroupSize: 4,
  });
  return new Uint8Array(file);
}
