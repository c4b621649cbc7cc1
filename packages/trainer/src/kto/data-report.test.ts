import { Dataset, type DataRow } from "@kto/datasets";
import { loadTokenizer } from "@kto/tokenizer/node";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

import { describeDrop } from "../data/index.js";
import { ktoDataReport } from "./index.js";

const fixtures = new URL("../../../testing/fixtures/", import.meta.url);
const rows = readFileSync(new URL("kto/rows.jsonl", fixtures), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as DataRow);

it("says what training would see", async () => {
  const tokenizer = await loadTokenizer(fileURLToPath(new URL("model", fixtures)));
  const report = await ktoDataReport(Dataset.from(rows), { tokenizer, maxLength: 128, perDeviceTrainBatchSize: 4, head: 2 });
  expect(report).toMatchObject({
    columns: ["prompt", "completion", "label"],
    format: { type: "unpaired", conversational: true },
    counts: { source: 56, prepared: 54, dropped: 2 },
  });
  expect(report.dropped).toHaveLength(2);
  expect(describeDrop(report.dropped[0]!.reason)).toMatch(/^the prompt fills maxLength: \d+ of \d+ tokens$/);
  expect(report.classBalance.desirable + report.classBalance.undesirable).toBe(54);
  expect(report.histogram.reduce((sum, { count }) => sum + count, 0)).toBe(54);

  expect(report.samples).toHaveLength(2);
  const [, sample] = report.samples;
  expect(sample).toMatchObject({
    sourceIndex: 1,
    label: true,
    promptText: "<｜begin▁of▁sentence｜><｜User｜>Compute 11 * 5.<｜Assistant｜>",
    completionText: "The answer is 55.<｜end▁of▁sentence｜>",
  });
  const scored = sample!.tokens.filter((token) => token.scored);
  expect(scored.map((token) => token.text).join("")).toBe("The answer is 55.<｜end▁of▁sentence｜>");
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

it("does without a tokenizer for rows of ids", async () => {
  const ids = Dataset.from<DataRow>([{ prompt_ids: [1, 2], completion_ids: [3], label: true }]);
  expect((await ktoDataReport(ids)).samples).toEqual([
    {
      sourceIndex: 0,
      label: true,
      tokens: [
        { id: 1, scored: false },
        { id: 2, scored: false },
        { id: 3, scored: true },
      ],
    },
  ]);
});
