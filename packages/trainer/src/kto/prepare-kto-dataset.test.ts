import { Dataset, type DataRow } from "@kto/datasets";
import { describe, expect, it, vi } from "vitest";

import { tokenizeRow, type ChatMessage, type Tokenizer } from "../data/index.js";
import { describeBalance } from "./class-balance.js";
import { prepareKtoDataset } from "./prepare-kto-dataset.js";

/** One id a character, 1 before plain text; a conversation is `<role>content` for each message. "$" ends a text. */
const tokenizer: Tokenizer = {
  encode: (text, options) => [
    ...(options?.addSpecialTokens === false ? [] : [1]),
    ...Array.from(text, (character) => character.codePointAt(0)!),
  ],
  applyChatTemplate(messages: ChatMessage[], { addGenerationPrompt, tools, variables }) {
    const head = tools ? `[${tools.length} tools]` : "";
    const body = messages.map(({ role, content }) => `<${role}>${String(content)}`).join("");
    return tokenizer.encode(
      head + body + (addGenerationPrompt ? `<assistant>${(variables?.["opening"] as string | undefined) ?? ""}` : ""),
      {
        addSpecialTokens: false,
      },
    );
  },
  eosToken: "$",
};
const idsOf = (text: string): number[] => Array.from(text, (character) => character.codePointAt(0)!);
const dataset = (...rows: DataRow[]): Dataset<DataRow> => Dataset.from(rows);
const good = { prompt: "p", completion: "c", label: true };
const options = { tokenizer, perDeviceTrainBatchSize: 2 };

describe("tokenizeRow", () => {
  it("adds the EOS text once to plain completions", () => {
    expect(tokenizeRow({ prompt: "a", completion: "b" }, 0, { tokenizer })).toEqual({ promptIds: [1, 97], completionIds: idsOf("b$") });
    expect(tokenizeRow({ prompt: "a", completion: "b$" }, 0, { tokenizer }).completionIds).toEqual(idsOf("b$"));
    expect(tokenizeRow({ prompt: "a", completion: "b" }, 0, { tokenizer: { ...tokenizer, eosToken: undefined } }).completionIds).toEqual(
      idsOf("b"),
    );
  });

  it("ends the prompt where the ids of prompt and whole first differ", () => {
    const row = { prompt: [{ role: "user", content: "hi" }], completion: [{ role: "assistant", content: "yes" }] };
    const opened = tokenizeRow({ ...row, chat_template_kwargs: { opening: "<think>" } }, 0, { tokenizer });
    expect(opened).toEqual({ promptIds: idsOf("<user>hi<assistant>"), completionIds: idsOf("yes") });
    expect(tokenizeRow({ ...row, chat_template_kwargs: { opening: "y" } }, 0, { tokenizer }).completionIds).toEqual(idsOf("es"));
  });

  it("hands the row's tools to the template, as a list or as JSON", () => {
    const row = { prompt: [{ role: "user", content: "hi" }], completion: [{ role: "assistant", content: "yes" }] };
    for (const tools of [[{}, {}], "[{}, {}]"]) {
      expect(tokenizeRow({ ...row, tools }, 0, { tokenizer }).promptIds).toEqual(idsOf("[2 tools]<user>hi<assistant>"));
    }
    expect(() => tokenizeRow({ ...row, tools: "{" }, 6, { tokenizer })).toThrow('row 6: "tools" is not a list');
  });
});

describe("prepareKtoDataset", () => {
  it("drops rows whose prompt fills maxLength before it rotates completions", async () => {
    const { rows, dropped, lengths } = await prepareKtoDataset(
      dataset(
        { prompt: "aaa", completion: "1", label: true },
        { prompt: "aaaa", completion: "2", label: true },
        { prompt: "a", completion: "33333", label: 0 },
      ),
      { ...options, maxLength: 5 },
    );
    expect(dropped).toEqual([{ index: 1, reason: { kind: "prompt fills maxLength", length: 5, limit: 5 } }]);
    expect(rows.map(({ sourceIndex, label }) => [sourceIndex, label])).toEqual([
      [0, true],
      [2, false],
    ]);
    expect(rows.map(({ promptIds, completionIds, klCompletionIds }) => [promptIds.length, completionIds, klCompletionIds])).toEqual([
      [4, idsOf("1"), idsOf("3")], // each of two was cut to 5 ids, the borrowed completions too
      [2, idsOf("333"), idsOf("1$")],
    ]);
    expect(lengths).toMatchObject({ numTruncated: 2, prompt: { min: 2, mean: 3, median: 3, max: 4 }, sequence: { max: 8 } });
  });

  it("keeps every row where maxLength is null, and borrows nothing for apo_zero_unpaired", async () => {
    const rows = dataset({ ...good, prompt: "p".repeat(5000) }, good);
    const result = await prepareKtoDataset(rows, { tokenizer, maxLength: null, perDeviceTrainBatchSize: 1, lossType: "apo_zero_unpaired" });
    expect(result.dropped).toEqual([]);
    expect(result.rows.map((row) => "klCompletionIds" in row)).toEqual([false, false]);
  });

  it("unpairs pairs with and without a prompt", async () => {
    const { rows, format } = await prepareKtoDataset(
      dataset({ chosen: "q yes", rejected: "q no" }, { chosen: "r one", rejected: "r two" }),
      options,
    );
    expect(format).toEqual({ type: "implicit-prompt", conversational: false });
    expect(rows.map(({ sourceIndex, label }) => [sourceIndex, label])).toEqual([
      [0, true],
      [1, true],
      [0, false],
      [1, false],
    ]);
    expect(rows[2]).toMatchObject({ promptIds: [1, ...idsOf("q")], completionIds: idsOf(" no$"), klCompletionIds: idsOf(" two$") });
  });

  it("takes rows of ids without a tokenizer", async () => {
    const rows = dataset({ prompt_ids: [5, 6], completion_ids: [7], label: 1 }, { prompt_ids: [5], completion_ids: [8, 9], label: 0 });
    expect((await prepareKtoDataset(rows, { perDeviceTrainBatchSize: 2 })).rows).toEqual([
      { promptIds: [5, 6], completionIds: [7], klCompletionIds: [8, 9], label: true, sourceIndex: 0 },
      { promptIds: [5], completionIds: [8, 9], klCompletionIds: [7], label: false, sourceIndex: 1 },
    ]);
  });

  it("reports progress, lets other work run, and stops when told", async () => {
    const onProgress = vi.fn();
    const many = dataset(...Array.from({ length: 250 }, () => good));
    await prepareKtoDataset(many, { ...options, onProgress });
    expect(onProgress.mock.calls.map(([{ done, total }]) => [done, total])).toEqual([
      [100, 250],
      [200, 250],
      [250, 250],
    ]);
    const controller = new AbortController();
    const stopped = prepareKtoDataset(many, { ...options, signal: controller.signal });
    controller.abort(new Error("stop"));
    await expect(stopped).rejects.toThrow("stop");
  });

  it("warns of a missing class and goes on", async () => {
    const { rows, classBalance } = await prepareKtoDataset(dataset(good, good), options);
    expect(rows).toHaveLength(2);
    expect(describeBalance(classBalance)).toBe("every row is desirable: without undesirable rows there is no margin to learn from");
  });

  it.each<[string, DataRow[], string]>([
    [
      "a label that is a string",
      [good, { ...good, label: "true" }],
      "row 1: the label has the wrong type or value; expected true, false, 1 or 0, got true (string)",
    ],
    ["a missing label", [good, { prompt: "p", completion: "c" }], 'row 1: the column "label" is missing'],
    ["no label at all", [{ prompt: "p", completion: "c" }], 'row 0: the column "label" is missing'],
    ["a missing completion", [good, { prompt: "p", label: true }], 'row 1: the column "completion" is missing'],
    ["an empty prompt", [good, { ...good, prompt: "" }], 'row 1: "prompt" is empty'],
    ["an empty completion", [good, { ...good, completion: [] }], 'row 1: "completion" is empty'],
    ["an implicit prompt that is empty", [{ chosen: "yes", rejected: "no" }], 'row 0: "prompt" is empty'],
    ["mixed kinds", [{ ...good, completion: [{ role: "assistant", content: "c" }] }], "row 0: prompt and completion are not of one kind"],
    ["ids that are no ids", [{ prompt_ids: [1.5], completion_ids: [1], label: true }], 'row 0: "prompt_ids" is not a list of token ids'],
    ["other columns", [{ question: "p" }], "a column is missing in row 0"],
  ])("names the row with %s", async (_what, rows, message) => {
    await expect(prepareKtoDataset(dataset(...rows), options)).rejects.toMatchObject({
      code: "ROW",
      message: expect.stringContaining(message),
    });
  });

  it("names the row that the template refuses, and keeps the cause", async () => {
    const cause = new Error("roles must alternate");
    const strict: Tokenizer = {
      ...tokenizer,
      applyChatTemplate() {
        throw cause;
      },
    };
    const row = { prompt: [{ role: "user", content: "a" }], completion: [{ role: "assistant", content: "b" }], label: true };
    await expect(prepareKtoDataset(dataset(row), { ...options, tokenizer: strict })).rejects.toMatchObject({
      row: 0,
      cause,
      message: expect.stringContaining(
        'the chat template refuses the conversation; expected one that it renders, got "roles must alternate"',
      ),
    });
  });

  it("refuses batch size 1 with kto, no rows, no tokenizer, and data of which nothing is left", async () => {
    await expect(prepareKtoDataset(dataset(good), { tokenizer, perDeviceTrainBatchSize: 1 })).rejects.toThrow(
      "too small for the loss kto; expected an integer of at least 2, got 1",
    );
    await expect(prepareKtoDataset(dataset(), options)).rejects.toThrow("the dataset is empty");
    await expect(prepareKtoDataset(dataset(good), {})).rejects.toMatchObject({
      code: "DATA_PREPARATION",
      message: expect.stringContaining("there is no tokenizer"),
    });
    await expect(prepareKtoDataset(dataset({ ...good, prompt: "ppp" }), { ...options, maxLength: 2 })).rejects.toThrow(
      "every row was dropped",
    );
    await expect(prepareKtoDataset(dataset(good), { ...options, maxLength: 0 })).rejects.toThrow("maxLength is not a number of tokens");
  });
});
