import { Dataset, type DataRow } from "@kto/datasets";
import { loadTokenizer } from "@kto/tokenizer/node";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

import type { Tokenizer } from "../tokenizer.js";
import { collateKto, prepareKtoDataset, type KtoRow, type PrepareKtoOptions } from "./index.js";

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
  return (await prepareKtoDataset(Dataset.from(readRows(data)), { tokenizer, ...options })).rows;
}

describe("prepareKtoDataset makes trl's columns", () => {
  it.each(list("kto/tokenized").map((file) => file.replace(".jsonl", "")))("%s", async (name) => {
    const expected = readRows(`kto/tokenized/${name}.jsonl`).map((row) => ({
      sourceIndex: row["row"],
      promptIds: row["prompt_ids"],
      completionIds: row["completion_ids"],
      ...("KL_completion_ids" in row && { klCompletionIds: row["KL_completion_ids"] }),
      label: row["label"],
    }));
    expect(await prepared(name)).toEqual(expected);
  });
});

describe("collateKto pads trl's micro-batches", () => {
  const rowsOf = (values: Uint32Array | undefined, width: number): number[][] =>
    Array.from({ length: values!.length / width }, (_, row) => [...values!.subarray(row * width, (row + 1) * width)]);

  it.each(list("kto/collated").map((file) => file.replace(".json", "")))("%s", async (name) => {
    const rows = await prepared(name);
    const { maxLength } = recipe(name).options;
    for (const { rows: places, ...expected } of JSON.parse(read(`kto/collated/${name}.json`)) as ({
      rows: number[];
      label: boolean[];
    } & Record<string, number[][]>)[]) {
      const batch = collateKto(
        places.map((place) => rows[place]!),
        { maxLength: maxLength!, padTokenId: tokenizer.padTokenId! },
      );
      const width = batch.sequenceLength;
      const klWidth = batch.klSequenceLength ?? 0;
      const { ref_logps: _refLogps, ref_KL_logps: _refKlLogps, ...columns } = expected as Record<string, unknown>;
      expect({
        input_ids: rowsOf(batch.inputIds, width),
        attention_mask: rowsOf(batch.attentionMask, width),
        completion_mask: rowsOf(batch.completionMask, width),
        ...(klWidth > 0 && {
          KL_input_ids: rowsOf(batch.klInputIds, klWidth),
          KL_attention_mask: rowsOf(batch.klAttentionMask, klWidth),
          KL_completion_mask: rowsOf(batch.klCompletionMask, klWidth),
        }),
        label: Array.from(batch.label, Boolean),
      }).toEqual(columns);
    }
  });
});
