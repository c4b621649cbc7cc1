import { Dataset, type DataRow } from "@kto/datasets";
import { fixturePath, listFixtures, readFixtureJson, readFixtureJsonl } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { cutRow, prepareKtoDataset, type ScoredRow, type Tokenizer } from "../index.js";
import { preparePairDataset, type PreparedPairDataset } from "./prepare-pair-dataset.js";

const maxLength = 128;

/** A row of `dpo/tokenized`, in which nothing is cut yet. */
interface TrlRow {
  row: number;
  prompt_ids: number[];
  chosen_ids: number[];
  rejected_ids: number[];
}

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(fixturePath("model"));
});

function prepare(name: string): Promise<PreparedPairDataset> {
  const [form, template] = [name.split(".")[0]!, name.split(".").slice(1).join(".")];
  const rows = readFixtureJsonl<DataRow>("dpo", form === "main" ? "rows.jsonl" : `${form}-rows.jsonl`);
  const chatTemplate = template === "" ? undefined : readFileSync(fixturePath("templates", `${template}.jinja`), "utf8");
  return preparePairDataset(Dataset.from(rows), { tokenizer, maxLength, chatTemplate });
}

describe("preparePairDataset makes trl's columns", () => {
  it.each(listFixtures("dpo", "tokenized").map((file) => file.replace(".jsonl", "")))("%s", async (name) => {
    const { rows } = await prepare(name);
    const side = (promptIds: number[], completionIds: number[]): ScoredRow => cutRow({ promptIds, completionIds }, maxLength);
    expect([...rows]).toEqual(
      readFixtureJsonl<TrlRow>("dpo", "tokenized", `${name}.jsonl`).map((row) => ({
        sourceIndex: row.row,
        chosen: side(row.prompt_ids, row.chosen_ids),
        rejected: side(row.prompt_ids, row.rejected_ids),
      })),
    );
  });
});

interface TrlBatch {
  rows: number[];
  input_ids: number[][];
  attention_mask: number[][];
  completion_mask: number[][];
}

it("pairs are cut as trl's collator cuts them, chosen first and then rejected", async () => {
  const { rows } = await prepare("main");
  const batches = readFixtureJson<TrlBatch[]>("dpo", "collated", "main.json");
  for (const { rows: places, ...expected } of batches) {
    const pairs = places.map((place) => rows.at(place)!);
    const answers = [...pairs.map(({ chosen }) => chosen), ...pairs.map(({ rejected }) => rejected)];
    const width = Math.max(...answers.map(({ promptIds, completionIds }) => promptIds.length + completionIds.length));
    const column = (of: (row: ScoredRow) => number[], padding: number): number[][] =>
      answers.map((row) => Array.from({ length: width }, (_, position) => of(row)[position] ?? padding));
    const zeroes = (ids: readonly number[]): number[] => ids.map(() => 0);
    const ones = (ids: readonly number[]): number[] => ids.map(() => 1);
    expect({
      input_ids: column(({ promptIds, completionIds }) => [...promptIds, ...completionIds], tokenizer.padTokenId!),
      attention_mask: column(({ promptIds, completionIds }) => ones([...promptIds, ...completionIds]), 0),
      completion_mask: column(({ promptIds, completionIds }) => [...zeroes(promptIds), ...ones(completionIds)], 0),
    }).toEqual(expected);
  }
});

describe("pairs of ids", () => {
  const trlRows = readFixtureJsonl<TrlRow>("dpo", "tokenized", "main.jsonl");
  const ids = trlRows.map(({ prompt_ids, chosen_ids, rejected_ids }): DataRow => ({ prompt_ids, chosen_ids, rejected_ids }));

  it("are the rows of the same pairs as text, without a tokenizer", async () => {
    const { rows, format, unreadColumns } = await preparePairDataset(Dataset.from(ids), { maxLength });
    const text = (await prepare("main")).rows;
    expect(rows.map(({ chosen, rejected }) => ({ chosen, rejected }))).toEqual(text.map(({ chosen, rejected }) => ({ chosen, rejected })));
    expect(format).toEqual({ type: "tokenized-pairs", conversational: false, layout: "tokenized-pairs" });
    expect(unreadColumns).toEqual([]);
  });

  it("are unpaired for KTO, chosen answers first", async () => {
    const { rows } = await prepareKtoDataset(Dataset.from(ids.slice(0, 2)), { maxLength, perDeviceTrainBatchSize: 2 });
    expect(rows.map(({ completionIds, label, sourceIndex }) => ({ completionIds, label, sourceIndex }))).toEqual([
      { completionIds: trlRows[0]!.chosen_ids, label: true, sourceIndex: 0 },
      { completionIds: trlRows[1]!.chosen_ids, label: true, sourceIndex: 1 },
      { completionIds: trlRows[0]!.rejected_ids, label: false, sourceIndex: 0 },
      { completionIds: trlRows[1]!.rejected_ids, label: false, sourceIndex: 1 },
    ]);
  });

  it("that are none are told by column and row", () =>
    expect(preparePairDataset(Dataset.from<DataRow>([ids[0]!, { ...ids[1]!, rejected_ids: [1, -2] }]))).rejects.toThrow(
      /row 1.*"rejected_ids" is not a list of token ids/,
    ));

  it("without an answer are dropped with their pair", async () => {
    const { rows, dropped } = await preparePairDataset(Dataset.from<DataRow>([ids[0]!, { ...ids[1]!, rejected_ids: [] }]));
    expect(rows.map(({ sourceIndex }) => sourceIndex)).toEqual([0]);
    expect(dropped).toEqual([{ index: 1, label: false, reason: { kind: "nothing scored" } }]);
  });
});

describe("data that is no pairs", () => {
  const pair = { prompt: "Q:", chosen: " yes", rejected: " no" };
  const prepareRows = (rows: DataRow[], options: { maxLength?: number } = {}): Promise<PreparedPairDataset> =>
    preparePairDataset(Dataset.from(rows), { tokenizer, ...options });

  it("single answers", () =>
    expect(prepareRows([{ prompt: "Q:", completion: " yes", label: true }])).rejects.toThrow(
      /row 0: there is no pair of answers; expected chosen and rejected, .*; this method compares two answers/,
    ));

  it("a pair whose prompt fills maxLength goes as a whole, and is told", async () => {
    const { rows, dropped } = await prepareRows([pair, { ...pair, prompt: "Q: why? ".repeat(20) }], { maxLength: 16 });
    expect(rows.map(({ sourceIndex }) => sourceIndex)).toEqual([0]);
    expect(new Set(dropped.map(({ index }) => index))).toEqual(new Set([1]));
  });

  it("the same answer twice is counted, and trained on", async () => {
    const { rows, numIdentical, notes } = await prepareRows([pair, { ...pair, rejected: " yes" }]);
    expect(rows).toHaveLength(2);
    expect(numIdentical).toBe(1);
    expect(notes.map(({ text }) => text)).toContain("1 pair has the same answer twice: it teaches nothing");
  });

  it("a row of another form, by its number", () =>
    expect(prepareRows([pair, { prompt: "Q:", chosen: [{ role: "assistant", content: "yes" }], rejected: " no" }])).rejects.toThrow(
      /row 1/,
    ));

  it("nothing", () => expect(prepareRows([])).rejects.toThrow(/the dataset is empty/));
});
