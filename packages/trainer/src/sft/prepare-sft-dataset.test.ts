import { Dataset, type DataRow } from "@kto/datasets";
import { fixturePath } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { prepareSftDataset, sftDataReport, type PreparedSftDataset, type PrepareSftOptions, type Tokenizer } from "../index.js";
import { idsOfRow, isScoredAt } from "./documents.js";

let tokenizer: Tokenizer;
const marked = readFileSync(fixturePath("templates", "chatml-generation.jinja"), "utf8");
beforeAll(async () => {
  tokenizer = await loadTokenizer(fixturePath("model"));
});

const prepare = (rows: DataRow[], options: PrepareSftOptions = {}): Promise<PreparedSftDataset> =>
  prepareSftDataset(Dataset.from(rows), { tokenizer, ...options });

/** What each row says, what is scored in [brackets]. */
function texts({ rows }: PreparedSftDataset): string[] {
  return rows.map(({ documents }) =>
    documents
      .map((document) => {
        const ids = idsOfRow(document);
        const runs: { scored: boolean; ids: number[] }[] = [];
        for (const [position, id] of ids.entries()) {
          const scored = isScoredAt(document, position);
          if (runs.at(-1)?.scored !== scored) runs.push({ scored, ids: [] });
          runs.at(-1)!.ids.push(id);
        }
        return runs.map((run) => (run.scored ? `[${tokenizer.decode!(run.ids)}]` : tokenizer.decode!(run.ids))).join("");
      })
      .join(" | "),
  );
}

const [bos, eos] = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"];
const user = (content: string): DataRow => ({ role: "user", content });
const assistant = (content: string): DataRow => ({ role: "assistant", content });
const turns = [user("Hi"), assistant("Yo"), user("Bye"), assistant("Ok")];

describe("what is scored", () => {
  it.each<[string, DataRow, PrepareSftOptions, string]>([
    ["plain text, all of it", { text: "Hello" }, {}, `[${bos}Hello${eos}]`],
    ["text in another column, which ends with EOS", { body: `Hello${eos}`, text: 1 }, { datasetTextField: "body" }, `[${bos}Hello${eos}]`],
    ["of prompt and completion the completion", { prompt: "Q:", completion: " A" }, {}, `${bos}Q:[ A${eos}]`],
    ["or both", { prompt: "Q:", completion: " A" }, { completionOnlyLoss: false }, `[${bos}Q: A${eos}]`],
    [
      "ShareGPT's turns",
      {
        conversations: [
          { from: "human", value: "Hi" },
          { from: "gpt", value: "Yo" },
        ],
      },
      {},
      `[${bos}<｜User｜>Hi<｜Assistant｜>Yo${eos}]`,
    ],
    ["of alpaca rows the output", { instruction: "Hi", output: "Yo" }, {}, `${bos}<｜User｜>Hi<｜Assistant｜>[Yo${eos}]`],
    ["of pairs the chosen answer", { prompt: "Q:", chosen: " A", rejected: " B" }, {}, `${bos}Q:[ A${eos}]`],
    ["of pairs without a prompt too", { chosen: "Q: A", rejected: "Q: B" }, {}, `${bos}Q:[ A${eos}]`],
    [
      "what the template marks, in every turn",
      { messages: turns },
      { assistantOnlyLoss: true, chatTemplate: marked },
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n[Yo<|im_end|>]\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n[Ok<|im_end|>]\n",
    ],
    [
      "and of a completion what it marks there",
      { prompt: turns.slice(0, 3), completion: turns.slice(3) },
      { assistantOnlyLoss: true, chatTemplate: marked },
      "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n[Ok<|im_end|>]\n",
    ],
  ])("%s", async (_what, row, options, expected) => expect(texts(await prepare([row], options))).toEqual([expected]));

  it("under another EOS token, in texts and in the template", async () => {
    const eosToken = "<|im_end|>";
    expect(texts(await prepare([{ text: "Hello" }], { eosToken }))).toEqual([`[${bos}Hello${eosToken}]`]);
    const chatTemplate = "{% for m in messages %}{{ m.content + eos_token }}{% endfor %}";
    expect(texts(await prepare([{ messages: turns.slice(0, 2) }], { eosToken, chatTemplate }))).toEqual([`[Hi${eosToken}Yo${eosToken}]`]);
  });
});

describe("packing", () => {
  const rows = ["one two three", "four", "five six"].map((text) => ({ text }));

  it("puts texts together, and evaluation data only where it is asked to", async () => {
    const packed = await prepare(rows, { packing: true, maxLength: 24 });
    expect(packed.rows.length).toBeLessThan(3);
    expect(packed.packing).toEqual({ strategy: "bfd", numDocuments: 3 });
    expect(new Set([...packed.rows].flatMap((row) => row.packedFrom!))).toEqual(new Set([0, 1, 2]));
    const other = await prepare(rows, { packing: true, evalPacking: false, split: "eval", maxLength: 24 });
    expect([other.rows.length, other.packing]).toEqual([3, null]);
  });

  it("drops packed rows in which nothing is scored, and says which rows teach nothing", async () => {
    const completions = [
      { prompt: "a long question of many words", completion: " A" },
      { prompt: "Q:", completion: " A" },
    ];
    const { rows: packed, dropped } = await prepare(completions, { packing: true, maxLength: 8 });
    expect(packed.map(({ packedFrom }) => packedFrom)).toEqual([[1]]);
    expect(dropped).toMatchObject([{ index: 0, reason: { kind: "prompt fills maxLength" } }]);
    const split = await prepare(completions, { packing: true, packingStrategy: "bfd_split", maxLength: 8 });
    expect(split.dropped).toEqual([]);
    await expect(prepare(completions, { packing: true, maxLength: 8, strict: true })).rejects.toThrow(/1 row would be dropped/);
  });

  it("shuffles before and after as datasets does", async () => {
    const many = Array.from({ length: 10 }, (_, row) => ({ input_ids: [row, row, row] }));
    const order = async (options: PrepareSftOptions): Promise<number[]> =>
      (await prepare(many, options)).rows.map(({ sourceIndex }) => sourceIndex);
    expect(await order({ shuffleDataset: true, seed: 42 })).toEqual([5, 6, 0, 7, 3, 2, 4, 9, 1, 8]);
    const once = [5, 6, 0, 7, 3, 2, 4, 9, 1, 8];
    expect(await order({ shuffleDataset: true, seed: 42, packing: true, maxLength: 4 })).toEqual(once.map((place) => once[place]));
  });
});

it("a report shows each token of each document, and which are scored", async () => {
  const rows = Dataset.from<DataRow>([
    { input_ids: [1, 2, 3], assistant_masks: [0, 1, 0] },
    { input_ids: [4, 5], assistant_masks: [1, 1] },
  ]);
  const report = await sftDataReport(rows, { packing: true, maxLength: 8, head: 1 });
  expect(report).toMatchObject({
    columns: ["input_ids", "assistant_masks"],
    counts: { source: 2, prepared: 1, dropped: 0 },
    packing: { strategy: "bfd", numDocuments: 2 },
    tokens: { total: 5, scored: 2 },
    histogram: [
      { from: 0, to: 1, count: 0 },
      { from: 1, to: 2, count: 0 },
      { from: 2, to: 3, count: 1 },
      { from: 3, to: 4, count: 1 },
    ],
    samples: [{ sourceIndex: 0, packedFrom: [0, 1] }],
  });
  const scoredOf = (bits: number[], ids: number[]): object => ({ tokens: ids.map((id, index) => ({ id, scored: bits[index] === 1 })) });
  expect(report.samples[0]!.documents).toEqual([scoredOf([0, 1, 0], [1, 2, 3]), scoredOf([0, 1], [4, 5])]);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

describe("rows and options that cannot be", () => {
  it.each<[string, DataRow[], PrepareSftOptions, RegExp]>([
    [
      "another layout",
      [{ question: "a" }],
      {},
      /no layout that is read; expected prompt and completion; or conversations \(messages\); or text; or .*--dataset_text_field/,
    ],
    [
      "mixed formats",
      [{ text: "a" }, { messages: turns }],
      {},
      /^row 1: it is of another layout than the rows before; expected plain text \(text\), got whole conversations/,
    ],
    ["a text that is none", [{ text: "a" }, { text: 1 }], {}, /^row 1: "text" is not text; expected a string, got 1/],
    [
      "completion-only without completions",
      [{ text: "a" }],
      { completionOnlyLoss: true },
      /^data: completionOnlyLoss needs to know where the completion begins; expected rows of prompt and completion.*, got rows of the layout text/,
    ],
    [
      "assistant-only without turns",
      [{ text: "a" }],
      { assistantOnlyLoss: true },
      /^data: assistantOnlyLoss needs turns of an assistant; expected conversations/,
    ],
    [
      "a template without marks",
      [{ messages: turns }],
      { assistantOnlyLoss: true, chatTemplate: "{{ messages[0].content }}" },
      /^assistantOnlyLoss: the chat template has no marks of what the assistant says; expected \{% generation %\}/,
    ],
    [
      "marks that cover nothing",
      [{ messages: turns }, { messages: [user("Hi")] }],
      { assistantOnlyLoss: true, chatTemplate: marked },
      /^row 1: the marks of the chat template \(\{% generation %\}\) cover none of its tokens; expected .*, got \d+ tokens, none of them marked, of the roles \["user"\]/,
    ],
    [
      "an EOS token that is none",
      [{ text: "a" }],
      { eosToken: "<none>" },
      /^data: eosToken is no token of the tokenizer; expected a token of its vocabulary, got "<none>"/,
    ],
    ["packing without a length", [{ text: "a" }], { packing: true, maxLength: null }, /maxLength is missing where rows are packed/],
    [
      "labels of other tokens",
      [{ input_ids: [1, 2], labels: [-100, 3] }],
      {},
      /"labels" are not those of "input_ids"; expected 2 numbers, each the id at its place or -100, got 3 at place 1, where the id is 2/,
    ],
    [
      "a mask of another length",
      [{ input_ids: [1, 2], assistant_masks: [1] }],
      {},
      /"assistant_masks" is no mask of "input_ids"; expected 2 numbers, each 0 or 1, got 1 numbers/,
    ],
    ["nothing scored", [{ input_ids: [1, 2], labels: [-100, -100] }], {}, /every row was dropped/],
    ["no rows", [], {}, /the dataset is empty/],
  ])("%s", async (_what, rows, options, message) => {
    await expect(prepare(rows, options)).rejects.toThrow(message);
    await expect(prepare(rows, options)).rejects.toMatchObject({ code: expect.stringMatching(/^(ROW|DATA_PREPARATION|DATA_FILE)$/) });
  });

  it("rows of ids need no tokenizer, texts do", async () => {
    expect((await prepareSftDataset(Dataset.from<DataRow>([{ input_ids: [1, 2] }]))).tokens).toEqual({ total: 2, scored: 1 });
    await expect(prepareSftDataset(Dataset.from<DataRow>([{ text: "a" }]))).rejects.toThrow(/the rows are text and there is no tokenizer/);
  });

  it("drops conversations without a message, and tells what it does not read", async () => {
    const { rows, dropped, notes, unreadColumns } = await prepare([
      { messages: [], label: true, id: 1 },
      { messages: turns, label: false, id: 2 },
    ]);
    expect(rows).toHaveLength(1);
    expect(dropped).toEqual([{ index: 0, reason: { kind: "no messages" } }]);
    expect(notes.map(({ kind }) => kind)).toContain("labels");
    expect(unreadColumns).toEqual(["label", "id"]);
  });

  it("notes marks that leave out what ends a turn", async () => {
    const chatTemplate = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}<|im_end|>{% endfor %}";
    const { notes } = await prepare([{ messages: turns }], { assistantOnlyLoss: true, chatTemplate });
    expect(notes.map(({ kind }) => kind)).toContain("end of turns");
    const { notes: others } = await prepare([{ messages: turns }], { assistantOnlyLoss: true, chatTemplate: marked });
    expect(others.map(({ kind }) => kind)).not.toContain("end of turns");
  });
});
