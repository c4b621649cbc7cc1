import { Dataset, RowError, type DataRow } from "@kto/datasets";
import { fixturePath, readFixtureJsonl } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { expect, it } from "vitest";
import { readPrompts } from "./prompts.js";

const tokenizer = await loadTokenizer(fixturePath("model"));
const { prompt, prompt_ids: ids } = readFixtureJsonl<{ prompt: object[]; prompt_ids: number[] }>("generation/greedy.jsonl")[2]!;
const answer = { role: "assistant", content: "yes" };

const read = async (rows: DataRow[], { limit = 4096, strict = false } = {}): Promise<unknown[]> =>
  (
    await readPrompts(Dataset.from(rows), {
      tokenizer,
      room: { maxNewTokens: undefined, limit, what: "max_length" },
      strict,
      signal: undefined,
    })
  ).prompts;

it.each<[string, DataRow]>([
  ["a conversation alone", { prompt }],
  ["ids", { prompt_ids: ids }],
  ["a row of training", { prompt, completion: [answer], label: true }],
  ["a pair", { prompt, chosen: [answer], rejected: [answer] }],
  ["a pair without a prompt", { chosen: [...prompt, answer], rejected: [...prompt, { ...answer, content: "no" }] }],
  ["a whole conversation", { messages: [...prompt, answer], label: true }],
])("%s is asked with the prompt of training", async (_what, row) => expect(await read([row])).toEqual([{ ids }]));

it("a text is asked with its special tokens", async () => {
  expect(await read([{ prompt: "3 + 4 = " }])).toEqual([{ ids: tokenizer.encode("3 + 4 = ") }]);
});

it("rows that cannot be answered stand in their place", async () => {
  expect(await read([{ prompt: [] }, { prompt }, { prompt: [...prompt, ...prompt] }], { limit: ids.length + 1 })).toEqual([
    { dropped: "the prompt is a conversation without a message" },
    { ids },
    { dropped: expect.stringMatching(/^the prompt fills max_length: \d+ of \d+ tokens$/) },
  ]);
});

it("every mistake of rows is told", async () => {
  const reading = read([{ prompt: "a" }, { prompt: 3 }, { prompt: [{ role: "oracle", content: "hm" }] }, { other: 1 }]);
  await expect(reading).rejects.toThrow(RowError);
  await expect(reading).rejects.toThrow(/row 1: "prompt" is neither text nor a conversation/);
  await expect(reading).rejects.toThrow(/row 3: the column "prompt" is missing/);
});

it.each<[string, DataRow[], object, RegExp]>([
  ["no rows", [], {}, /the dataset is empty/],
  [
    "rows that are all dropped",
    [{ prompt: [] }],
    {},
    /every row was dropped; expected at least one row to answer, got row 0: the prompt is a/,
  ],
  ["any dropped row under strict", [{ prompt: [] }, { prompt }], { strict: true }, /1 row would be dropped; expected none, as strict asks/],
  ["rows without a prompt", [{ text: "a" }], {}, /rows are of no layout that is read/],
])("%s are refused", async (_what, rows, options, says) => expect(read(rows, options)).rejects.toThrow(says));
