import { Dataset, type DataRow } from "@kto/datasets";
import { fixturePath, listFixtures, readFixtureJson, readFixtureJsonl } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import {
  packDocuments,
  prepareSftDataset,
  type PreparedSftDataset,
  type PrepareSftOptions,
  type ScoredRow,
  type Tokenizer,
} from "../index.js";
import { idsOfRow, isScoredAt } from "./documents.js";

const maxLength = 128;

/** A row of `sft/tokenized`, cut. */
interface TrlRow {
  row: number;
  input_ids: number[];
  labels: number[];
}

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(fixturePath("model"));
});

/** The rows behind a file of `sft/tokenized`, prepared as its name says. */
function prepare(name: string, more: PrepareSftOptions = {}): Promise<PreparedSftDataset> {
  const [form, template] = [name.split(".")[0]!, name.split(".").slice(1).join(".")];
  const files: Record<string, string> = {
    full: "messages",
    "assistant-only": "messages",
    "completion-only": "pairs",
    "full-on-pairs": "pairs",
  };
  return prepareSftDataset(Dataset.from(readFixtureJsonl<DataRow>("sft", `${files[form] ?? form}-rows.jsonl`)), {
    tokenizer,
    maxLength,
    ...(template !== "" && { chatTemplate: readFileSync(fixturePath("templates", `${template}.jinja`), "utf8") }),
    ...(form === "full-on-pairs" && { completionOnlyLoss: false }),
    ...(form === "assistant-only" && { assistantOnlyLoss: true }),
    ...more,
  });
}

const labelsOf = (row: ScoredRow): number[] => idsOfRow(row).map((id, position) => (isScoredAt(row, position) ? id : -100));

describe("prepareSftDataset makes trl's columns", () => {
  it.each(listFixtures("sft", "tokenized").map((file) => file.replace(".jsonl", "")))("%s", async (name) => {
    const { rows, dropped, lengths } = await prepare(name);
    const expected = readFixtureJsonl<TrlRow>("sft", "tokenized", `${name}.jsonl`);
    expect([...rows].every(({ documents }) => documents.length === 1)).toBe(true);
    expect(
      rows.map(({ documents: [row], sourceIndex }) => ({ row: sourceIndex, input_ids: idsOfRow(row!), labels: labelsOf(row!) })),
    ).toEqual(expected);
    expect(lengths.numTruncated).toBeGreaterThan(0);
    const numRows = name === "text" ? 16 : 49;
    expect(dropped.map(({ index }) => index)).toEqual(
      Array.from({ length: numRows }, (_, index) => index).filter((index) => !expected.some(({ row }) => row === index)),
    );
  });

  it("from ids and masks as from texts", async () => {
    const rows = readFixtureJsonl<TrlRow>("sft", "tokenized", "completion-only.jsonl");
    const bits = ({ labels }: TrlRow): number[] => labels.map((label) => Number(label !== -100));
    const { rows: expected } = await prepare("completion-only");
    const documentsOf = async (columns: (row: TrlRow) => DataRow, options: PrepareSftOptions = {}): Promise<unknown> =>
      (await prepareSftDataset(Dataset.from(rows.map((row) => ({ input_ids: row.input_ids, ...columns(row) }))), options)).rows.map(
        ({ documents }) => documents,
      );
    const documents = expected.map((row) => row.documents);
    expect(await documentsOf(({ labels }) => ({ labels }))).toEqual(documents);
    expect(await documentsOf((row) => ({ completion_mask: bits(row) }))).toEqual(documents);
    expect(await documentsOf((row) => ({ assistant_masks: bits(row) }), { completionOnlyLoss: false })).toEqual(documents);
    expect(await documentsOf((row) => ({ completion_mask: bits(row) }), { completionOnlyLoss: false })).toEqual(
      rows.map(({ input_ids }) => [{ promptIds: [], completionIds: input_ids }]),
    );
  });
});

interface TrlBatch {
  rows: number[];
  input_ids: number[][];
  attention_mask: number[][];
  labels: number[][];
}

it.each(listFixtures("sft", "collated"))("micro-batches hold what trl's collator pads: %s", async (file) => {
  const { rows } = await prepare(file.replace(".json", ""));
  for (const { rows: places, ...expected } of readFixtureJson<TrlBatch[]>("sft", "collated", file)) {
    const documents = places.map((place) => rows.at(place)!.documents[0]!);
    const width = Math.max(...documents.map((document) => idsOfRow(document).length));
    const padded = (values: number[], padding: number): number[] => [...values, ...Array<number>(width - values.length).fill(padding)];
    expect({
      input_ids: documents.map((document) => padded(idsOfRow(document), tokenizer.padTokenId!)),
      attention_mask: documents.map((document) => padded(idsOfRow(document).fill(1), 0)),
      labels: documents.map((document) => padded(labelsOf(document), -100)),
    }).toEqual(expected);
  }
});

interface PackingCase {
  documents: number[][];
  seq_length: number;
  strategy: "bfd" | "bfd_split" | "wrapped";
  packed: { input_ids: number[]; seq_lengths?: number[] }[];
}

describe("packDocuments", () => {
  const cases = readFixtureJson<PackingCase[]>("sft", "packing.json");

  it.each(cases.map((one, index) => [index, one.strategy, one] as const))("case %i is trl's, by %s", (_index, _strategy, one) => {
    const documents = one.documents.map((ids, sourceIndex) => ({ promptIds: [], completionIds: ids, sourceIndex }));
    const packed = packDocuments(documents, one.seq_length, one.strategy);
    expect(
      packed.map((row) => ({
        input_ids: row.documents.flatMap(idsOfRow),
        ...(one.strategy !== "wrapped" && { seq_lengths: row.documents.map((document) => idsOfRow(document).length) }),
      })),
    ).toEqual(one.packed);
    for (const { documents: parts, packedFrom } of packed)
      for (const id of parts.flatMap(idsOfRow)) expect(packedFrom.some((source) => one.documents[source]!.includes(id))).toBe(true);
  });

  it("keeps what is scored where it stands", () => {
    const documents = [
      { promptIds: [1, 2], completionIds: [3, 4, 5], scoredMask: [1, 0, 1], sourceIndex: 0 },
      { promptIds: [6, 7], completionIds: [8, 9], sourceIndex: 1 },
    ];
    const labels = (strategy: PackingCase["strategy"]): number[][][] =>
      packDocuments(documents, 4, strategy).map((row) => row.documents.map(labelsOf));
    expect(labels("bfd")).toEqual([[[-100, -100, 3, -100]], [[-100, -100, 8, 9]]]);
    expect(labels("bfd_split")).toEqual([[[-100, -100, 3, -100]], [[-100, -100, 8, 9]], [[5]]]);
    expect(labels("wrapped")).toEqual([[[-100, -100, 3, -100]], [[5, -100, -100, 8]], [[9]]]);
  });

  it.each([0, -1, 1.5])("a length of %d is refused", (length) =>
    expect(() => packDocuments([], length, "wrapped")).toThrow(/length is no number of tokens; expected an integer of at least 1/),
  );

  it("packs a thousand documents at a time", () => {
    const documents = Array.from({ length: 1001 }, (_, sourceIndex) => ({ promptIds: [], completionIds: [1, 2, 3], sourceIndex }));
    expect(packDocuments(documents, 6, "bfd").map(({ packedFrom }) => packedFrom.length)).toEqual([...Array<number>(500).fill(2), 1]);
    expect(packDocuments(documents, 7, "wrapped")).toHaveLength(Math.ceil(3000 / 7) + 1);
  });
});
