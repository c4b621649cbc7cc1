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
const talk = { prompt: [{ role: "user", content: "hi" }], completion: [{ role: "assistant", content: "yes" }], label: true };
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

  it("trains on empty texts as trl does, and drops what has no message or no token", async () => {
    const answer = (content: unknown): DataRow[] => [{ role: "assistant", content }];
    const texts = dataset(
      { ...good, completion: "" },
      { ...good, prompt: "" },
      { ...good, prompt: "", completion: "" },
      { ...good, completion: [] },
    );
    const read = await prepareKtoDataset(texts, options);
    expect(read.rows.map(({ promptIds, completionIds }) => [promptIds, completionIds])).toEqual([
      [[1, ...idsOf("p")], idsOf("$")],
      [[1], idsOf("c$")],
      [[1], idsOf("$")],
    ]);
    expect(read.dropped).toEqual([{ index: 3, reason: { kind: "no completion" } }]);

    const needsContent: Tokenizer = {
      ...tokenizer,
      applyChatTemplate(messages, given) {
        if (messages.length === 0 || messages.some(({ content }) => typeof content !== "string")) throw new Error("no content");
        return tokenizer.applyChatTemplate(messages, given);
      },
    };
    const talks = dataset(
      talk,
      { ...talk, completion: answer("") },
      { ...talk, completion: [] },
      { ...talk, prompt: [] },
      { ...talk, completion: answer(null) },
      { ...talk, prompt: "", completion: "" },
      { ...talk, completion: "" },
    );
    const { rows, dropped } = await prepareKtoDataset(talks, { ...options, tokenizer: needsContent });
    expect(rows.map(({ sourceIndex, completionIds }) => [sourceIndex, completionIds])).toEqual([[0, idsOf("yes")]]);
    expect(dropped.map(({ index, reason }) => [index, reason.kind])).toEqual([
      [1, "nothing scored"], // this template ends no turn, so that an empty answer adds nothing
      [2, "no completion"],
      [3, "no prompt"],
      [4, "no content"],
      [5, "no prompt"],
      [6, "no completion"],
    ]);
    const lenient = await prepareKtoDataset(dataset(talk, { ...talk, completion: answer(null) }), options);
    expect(lenient.dropped).toEqual([]);
    await expect(prepareKtoDataset(talks, { ...options, tokenizer: needsContent, strict: true })).rejects.toMatchObject({
      code: "DATA_PREPARATION",
      message: expect.stringMatching(
        /^data: 6 rows would be dropped; expected none, as strict asks, got .*conversation does not end with the assistant \(rows 2, 6\).*leave strict out$/,
      ),
    });
  });

  it("drops a pair whose sides share nothing to take for a prompt, and one side alone where the other is empty", async () => {
    const pairs = dataset({ chosen: "q a", rejected: "q b" }, { chosen: "", rejected: "q b" }, { chosen: "yes", rejected: "no" });
    const { rows, dropped } = await prepareKtoDataset(pairs, options);
    expect(rows.map(({ sourceIndex, promptIds }) => [sourceIndex, promptIds])).toEqual([
      [0, [1, ...idsOf("q")]],
      [2, [1]],
      [0, [1, ...idsOf("q")]],
      [2, [1]],
    ]);
    expect(dropped).toEqual([true, false].map((label) => ({ index: 1, label, reason: { kind: "nothing shared" } })));
    const ids = dataset(
      { prompt_ids: [1], completion_ids: [], label: true },
      { prompt_ids: [], completion_ids: [3], label: true },
      { prompt_ids: [], completion_ids: [3, 4], label: false },
    );
    const read = await prepareKtoDataset(ids, options);
    expect([read.rows.map(({ sourceIndex }) => sourceIndex), read.dropped.map(({ index }) => index)]).toEqual([[2], [0, 1]]);
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
    expect(format).toEqual({ type: "implicit-prompt", conversational: false, layout: "implicit-prompt" });
    expect(rows.map(({ sourceIndex, label }) => [sourceIndex, label])).toEqual([
      [0, true],
      [1, true],
      [0, false],
      [1, false],
    ]);
    expect(rows.at(2)).toMatchObject({ promptIds: [1, ...idsOf("q")], completionIds: idsOf(" no$"), klCompletionIds: idsOf(" two$") });
  });

  it("takes rows of ids without a tokenizer", async () => {
    const rows = dataset({ prompt_ids: [5, 6], completion_ids: [7], label: 1 }, { prompt_ids: [5], completion_ids: [8, 9], label: 0 });
    expect([...(await prepareKtoDataset(rows, { perDeviceTrainBatchSize: 2 })).rows]).toEqual([
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
      "a label that is another text",
      [good, { ...good, label: "yes" }],
      "row 1: the label is neither true nor false; expected true, false, 1, 0",
    ],
    ["a missing label", [good, { prompt: "p", completion: "c" }], 'row 1: the column "label" is missing'],
    ["no label at all", [{ prompt: "p", completion: "c" }, good], 'row 0: the column "label" is missing'],
    ["no column of labels", [1, 2].map(() => ({ prompt: "p", completion: "c" })), 'row 0 and every other: the column "label" is missing'],
    ["a missing completion", [good, { prompt: "p", label: true }], 'row 1: the column "completion" is missing'],
    ["mixed kinds", [{ ...good, completion: [{ role: "assistant", content: "c" }] }], "row 0: prompt is of another kind than completion"],
    ["another layout", [good, { prompt: "p", chosen: "c", rejected: "d" }], "row 1: it is of another layout than the rows before"],
    ["images", [{ ...good, images: ["a.png"] }], 'row 0: "images" holds more than text'],
    ["ids that are no ids", [{ prompt_ids: [1.5], completion_ids: [1], label: true }], 'row 0: "prompt_ids" is not a list of token ids'],
    ["other columns", [{ question: "p" }], "the rows are of no layout that is read; expected prompt, completion and label"],
    [
      "a question beside two answers",
      [{ question: "p", chosen: "a", rejected: "b" }],
      "say that it is the prompt (--prompt_column question)",
    ],
  ])("names the row with %s", async (_what, rows, message) => {
    await expect(prepareKtoDataset(dataset(...rows), options)).rejects.toMatchObject({
      code: "ROW",
      message: expect.stringContaining(message),
    });
  });

  it("tells all that is wrong at once, a sentence for each kind, with its rows", async () => {
    const rows = [good, { ...good, label: "yes" }, { ...good, completion: 4 }, { ...good, label: "no" }, { prompt: "p", label: 2 }];
    await expect(prepareKtoDataset(dataset(...rows), options)).rejects.toMatchObject({
      row: 1,
      mistakes: [
        'row 1 and 2 more: the label is neither true nor false; expected true, false, 1, 0, or as text true, false, 1, 0 (in any case), 👍 or 👎, got "yes" (string); mend or remove them: rows 1, 3, 4 (counted from 0)',
        'row 2: "completion" is neither text nor a conversation; expected a string or [{"role": …, "content": …}, …], got 4; mend or remove row 2 (counted from 0)',
        'row 4: the column "completion" is missing; expected a value, got ["prompt","label"]; complete or remove row 4 (counted from 0)',
      ],
    });
    const pairs = Array.from({ length: 30 }, () => ({ prompt: "p", chosen: [...talk.prompt, ...talk.completion], rejected: talk.prompt }));
    await expect(prepareKtoDataset(dataset(...pairs), options)).rejects.toThrow(
      /^row 0 and every other: prompt is of another kind than chosen and rejected; .*; chosen and rejected hold the whole conversation, prompt included: leave the column prompt out \(--remove_columns prompt; removeColumns in code\)$/,
    );
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
      "data: every row was dropped; expected at least one row to train on, got the prompt fills maxLength (row 0); mend them, or raise maxLength",
    );
    await expect(prepareKtoDataset(dataset(good), { ...options, maxLength: 0 })).rejects.toThrow("maxLength is not a number of tokens");
  });
});
