import { Dataset, type DataRow } from "@kto/datasets";
import { loadTokenizer } from "@kto/tokenizer/node";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

import { cutRow, tokenizeRows, type ScoredRow, type Tokenizer } from "../data/index.js";
import { mismatched, prepareKtoDataset, type KtoRow, type PrepareKtoOptions } from "./prepare-kto-dataset.js";

const fixtures = new URL("../../../testing/fixtures/", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, fixtures), "utf8");
const list = (folder: string): string[] => readdirSync(new URL(folder, fixtures)).filter((name) => /\.jsonl?$/.test(name));
const readRows = <Row extends object = DataRow>(path: string): Row[] =>
  read(path)
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Row);

/** How trl was asked to prepare what lies in `kto/tokenized/<name>.jsonl`. */
function recipe(name: string): { data: string; options: PrepareKtoOptions } {
  const [run, template] = [name.split(".")[0]!, name.split(".").slice(1).join(".")];
  const chatTemplate = template === "" ? {} : { chatTemplate: read(`templates/${template}.jinja`) };
  if (run === "paired") return { data: "kto/paired-rows.jsonl", options: { maxLength: 128, perDeviceTrainBatchSize: 4, ...chatTemplate } };
  const { data, arguments: args } = JSON.parse(read(`kto/runs/${run}/config.json`)) as {
    data: string;
    arguments: { max_length: number; per_device_train_batch_size: number; loss_type?: "kto" | "apo_zero_unpaired" };
  };
  const { max_length: maxLength, per_device_train_batch_size: perDeviceTrainBatchSize, loss_type: lossType } = args;
  return { data, options: { maxLength, perDeviceTrainBatchSize, lossType, ...chatTemplate } };
}

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(fileURLToPath(new URL("model", fixtures)));
});

async function prepared(name: string): Promise<KtoRow[]> {
  const { data, options } = recipe(name);
  return [...(await prepareKtoDataset(Dataset.from(readRows(data)), { tokenizer, ...options })).rows];
}

/** A row of `kto/tokenized`, in which nothing is cut yet. */
interface TrlRow {
  row: number;
  prompt_ids: number[];
  completion_ids: number[];
  KL_completion_ids?: number[];
  label: boolean;
}

describe("prepareKtoDataset makes trl's columns", () => {
  it.each(list("kto/tokenized").map((file) => file.replace(".jsonl", "")))("%s", async (name) => {
    const maxLength = recipe(name).options.maxLength!;
    const expected = readRows<TrlRow>(`kto/tokenized/${name}.jsonl`).map((row) => {
      const completion = (ids: number[]): readonly number[] =>
        cutRow({ promptIds: row.prompt_ids, completionIds: ids }, maxLength).completionIds;
      return {
        sourceIndex: row.row,
        promptIds: row.prompt_ids,
        completionIds: completion(row.completion_ids),
        ...(row.KL_completion_ids && { klCompletionIds: completion(row.KL_completion_ids) }),
        label: row.label,
      };
    });
    expect(await prepared(name)).toEqual(expected);
  });

  it.each(list("kto/tokenized").map((file) => file.replace(".jsonl", "")))("%s, before anything is cut", async (name) => {
    const { data, options } = recipe(name);
    const { rows } = await tokenizeRows(Dataset.from(readRows(data)), { tokenizer, ...options });
    expect(rows.map(({ sourceIndex, promptIds, completionIds }) => ({ row: sourceIndex, promptIds, completionIds }))).toEqual(
      readRows<TrlRow>(`kto/tokenized/${name}.jsonl`).map((row) => ({
        row: row.row,
        promptIds: row.prompt_ids,
        completionIds: row.completion_ids,
      })),
    );
  });
});

describe("rows are cut as trl's collator cuts them", () => {
  /** trl's columns of a padded batch: ids, their mask, and which of them are completion. */
  function padded(rows: readonly ScoredRow[]): [ids: number[][], attentionMask: number[][], completionMask: number[][]] {
    const whole = rows.map(({ promptIds, completionIds }) => [...promptIds, ...completionIds]);
    const width = Math.max(...whole.map(({ length }) => length));
    const fill = (values: number[], value: number): number[] => [...values, ...Array.from({ length: width - values.length }, () => value)];
    return [
      whole.map((ids) => fill(ids, tokenizer.padTokenId!)),
      whole.map((ids) =>
        fill(
          ids.map(() => 1),
          0,
        ),
      ),
      whole.map((ids, row) =>
        fill(
          ids.map((_, position) => (position < rows[row]!.promptIds.length ? 0 : 1)),
          0,
        ),
      ),
    ];
  }

  it.each(list("kto/collated").map((file) => file.replace(".json", "")))("%s", async (name) => {
    const rows = await prepared(name);
    for (const { rows: places, ...expected } of JSON.parse(read(`kto/collated/${name}.json`)) as ({
      rows: number[];
      label: boolean[];
    } & Record<string, number[][]>)[]) {
      const batch = places.map((place) => rows[place]!);
      const [inputIds, attentionMask, completionMask] = padded(batch);
      const { ref_logps: _refLogps, ref_KL_logps: _refKlLogps, ...columns } = expected as Record<string, unknown>;
      const hasKl = batch.every(({ klCompletionIds }) => klCompletionIds !== undefined);
      const [klIds, klAttentionMask, klCompletionMask] = padded(batch.map(mismatched));
      expect({
        input_ids: inputIds,
        attention_mask: attentionMask,
        completion_mask: completionMask,
        ...(hasKl && { KL_input_ids: klIds, KL_attention_mask: klAttentionMask, KL_completion_mask: klCompletionMask }),
        label: batch.map(({ label }) => label),
      }).toEqual(columns);
    }
  });
});
