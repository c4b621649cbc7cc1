import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fixturePath } from "@kto/testing/workspace";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startLoopbackHub, type LoopbackHub } from "../../hub/src/testing/loopback-hub.js";
import { filesOf, mixRepository, mixRows, type MixRow, type RowFormat } from "./testing/mix-repository.js";
import { errorLinesOf, hubEnv, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

const parquet: RowFormat = { extension: "parquet", write: parquetOf };
const rows = mixRows();
let folder: ReturnType<typeof temporaryFolder>;
let hub: LoopbackHub;
beforeEach(async () => {
  folder = temporaryFolder();
  hub = await startLoopbackHub();
  hub.addDataset("trl-lib/kto-mix-14k", mixRepository([rows.slice(0, 20), rows.slice(20, 50)], rows.slice(50), parquet));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const env = (more: Record<string, string> = {}): Record<string, string> => ({ ...hubEnv(hub, folder.file("cache")), ...more });
const data = (...argv: string[]): Promise<Outcome> => kto(["data", ...argv], { env: env() });

interface Report {
  counts: { source: number; prepared: number | null };
  samples: { row?: unknown }[];
}

it("reads a split of a data set, and fetches the files of that split only", async () => {
  const { status, stdout, stderr } = await data("trl-lib/kto-mix-14k", "--split", "train", "--head", "1", "--json");
  expect({ status, errors: stderr.match(/error.*/g) }).toEqual({ status: 0, errors: null });
  const report = JSON.parse(stdout) as Report;
  expect(report.counts.source).toBe(50);
  expect(report.samples.map(({ row }) => row)).toEqual([rows[0]]);
  expect(stderr).toMatch(/^data\/train-00001-of-00002\.parquet: 100% /m);
  expect(hub.requested().join("\n")).not.toContain("test-00000");
});

it("takes a tokenizer of the hub, without the model's weights, and works offline after that", async () => {
  hub.addModel("owner/tiny", filesOf("model"));
  const argv = ["data", "trl-lib/kto-mix-14k@main", "--split", "test", "--model", "owner/tiny", "--json"];
  const first = await kto(argv, { env: env() });
  expect((JSON.parse(first.stdout) as Report).counts).toMatchObject({ source: rows.length - 50, prepared: rows.length - 50 });
  expect(hub.requested().join("\n")).not.toContain("model.safetensors");
  hub.reset();
  const offline = await kto(argv, { env: env({ HF_HUB_OFFLINE: "1" }) });
  expect(offline.stdout).toBe(first.stdout);
  expect(hub.requests).toEqual([]);
});

it("what is local comes first: a file, and a folder with splits", async () => {
  for (const [path, content] of Object.entries(mixRepository([rows.slice(0, 8)], rows.slice(50), parquet))) {
    mkdirSync(dirname(folder.file("trl-lib", path)), { recursive: true });
    writeFileSync(folder.file("trl-lib", path), content);
  }
  const local = await data(folder.file("trl-lib"), "--split", "train", "--json");
  expect((JSON.parse(local.stdout) as Report).counts.source).toBe(8);
  const file = await data(fixturePath("kto", "rows.jsonl"), "--json");
  expect((JSON.parse(file.stdout) as Report).counts.source).toBe(rows.length);
  expect(hub.requests).toEqual([]);
});

it.each<[string, string[], RegExp]>([
  [
    "several splits, and none is named",
    ["trl-lib/kto-mix-14k"],
    /several splits; expected one of test, train|several splits; expected one of train, test/,
  ],
  ["a split that is not there", ["trl-lib/kto-mix-14k", "--split", "dev"], /no split "dev"/],
  ["a configuration that is not there", ["trl-lib/kto-mix-14k", "--dataset_config", "en"], /no configuration "en"/],
  ["no such data set", ["trl-lib/kto-mix"], /no dataset trl-lib\/kto-mix.*no file or folder trl-lib\/kto-mix either/],
  ["a model", ["owner/tiny"], /no dataset owner\/tiny/],
  ["a file that is not there", ["data/train.jsonl"], /data\/train\.jsonl does not exist/],
  ["a data set without data", ["owner/empty"], /no data file/],
])("%s: status 2 and one line", async (_what, argv, says) => {
  hub.addModel("owner/tiny", { "config.json": "{}" });
  hub.addDataset("owner/empty", { "README.md": "nothing yet" });
  const outcome = await data(...argv);
  expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(says)]);
  expect(outcome).toMatchObject({ status: 2, stdout: "" });
});

it("a data set of the hub is not taken for a train_file", async () => {
  const flags = ["--model_name_or_path", fixturePath("model"), "--use_peft", "--train_file", "trl-lib/kto-mix-14k"];
  const outcome = await kto(["train", ...flags, "--output_dir", folder.file("out")], { env: env() });
  expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/DATA_FILE.*named with dataset_name/)]);
  expect(hub.requests).toEqual([]);
});

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
