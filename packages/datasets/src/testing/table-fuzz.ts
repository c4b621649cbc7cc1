import type { FuzzedReader } from "../../../testing/src/fuzzed-reader.js";
import { readArrow } from "../arrow.js";
import type { Dataset } from "../dataset.js";
import { readParquet } from "../parquet.js";
import { findSplitFiles } from "../split-files.js";
import { parquetWriteBuffer } from "hyparquet-writer";
import { memoryDirectory } from "./memory-directory.js";
import { tableFile } from "./tables.js";

const PARQUET = [
  ...["dictionary", "plain", "v2", "deltas", "old", "snappy", "zstd", "gzip", "brotli", "lz4"].map((name) => `main.${name}.parquet`),
  "types.parquet",
  "types.inside.parquet",
  "calls.parquet",
  ...["nulls", "rows", "brotli", "zstd", "page"].map((name) => `bomb.${name}.parquet`),
  ...["negative-children", "rle-endless", "rle-run"].map((name) => `hostile.${name}.parquet`),
];

const ARROW = [
  "main.stream.arrow",
  "main.file.arrow",
  "types.inside.arrow",
  "saved/data-00000-of-00002.arrow",
  "saved-dict/train/data-00000-of-00001.arrow",
  "views.arrow",
  "zstd.arrow",
];

const CARDS = [
  "license: mit\nconfigs:\n- config_name: default\n  default: true\n  data_files:\n  - split: train\n    path: data/tr*\n  - split: test\n    path: [data/b.jsonl, '**/[!a-b]?.{jsonl,csv}']\n- config_name: raw\n  data_files: raw/*.csv\n- config_name: folder\n  data_dir: parts\n",
  'configs:\n- config_name: a\n  data_files: "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a"\n',
  `configs:\n- config_name: a\n  data_files: "tr${"*".repeat(40)}"\n`,
  `configs:\n- config_name: a\n  data_files: "${"**a".repeat(12)}"\n`,
  "configs:\n- config_name: a\n  data_files:\n  - split: train\n    path: '[z-a].jsonl'\n",
];

/** Parquet, Arrow, and the heads of data cards with the files that they name. */
export const tableFuzz: readonly FuzzedReader[] = [
  {
    name: "parquet",
    kind: "bytes",
    seeds: () => [...PARQUET.map(tableFile), writtenHere()],
    read: async (bytes) => visit(await readParquet(bytes, { name: "x.parquet" })),
  },
  {
    name: "arrow",
    kind: "bytes",
    seeds: () => ARROW.map(tableFile),
    read: async (bytes) => visit(await readArrow(bytes, { name: "x.arrow" })),
  },
  { name: "data-card", kind: "text", seeds: () => CARDS.map((card) => new TextEncoder().encode(`---\n${card}---\n`)), read: readCard },
];

/** Reads every value, as training does. */
function visit(dataset: Dataset): void {
  for (const row of dataset) Object.values(row);
}

const FILES = [
  "data/train.jsonl",
  "data/b.jsonl",
  `tr${"a".repeat(200)}b.jsonl`,
  "raw/1.csv",
  "parts/train.csv",
  "parts/test.csv",
  "x/cd.jsonl",
  "z.jsonl",
];

async function readCard(bytes: Uint8Array): Promise<void> {
  const directory = memoryDirectory({ ...Object.fromEntries(FILES.map((path) => [path, "x"])), "README.md": bytes });
  await findSplitFiles(directory, { split: "train" });
}

function writtenHere(): Uint8Array {
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: "prompt", data: ["a", "日本", null], type: "STRING" },
        { name: "label", data: [true, false, null], type: "BOOLEAN" },
        { name: "n", data: [1n, 2n ** 60n, null], type: "INT64" },
      ],
      rowGroupSize: 2,
    }),
  );
}
