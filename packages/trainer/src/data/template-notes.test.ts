import { readFileSync } from "node:fs";
import { DataNotes, type DataRow } from "@kto/datasets";
import { Tokenizer, type TokenizerFiles } from "@kto/tokenizer";
import { describe, expect, it } from "vitest";

import type { ScoredRow } from "./rows.js";
import { tokenizeRow } from "./tokenize-row.js";

const model = new URL("../../../testing/fixtures/model/", import.meta.url);
const read = (name: string): object => JSON.parse(readFileSync(new URL(name, model), "utf8")) as object;
const config = read("tokenizer_config.json");
const files: TokenizerFiles = { tokenizerJson: read("tokenizer.json"), tokenizerConfig: config };

const BOS = "<｜begin▁of▁sentence｜>";
const EOS = "<｜end▁of▁sentence｜>";
const chatml =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

interface Case {
  rows: DataRow[];
  files?: Partial<TokenizerFiles>;
  chatTemplate?: string;
  /** The kinds of the notes, each with what it says. */
  notes: [kind: string, says: RegExp][];
}

const user = { role: "user", content: "hi" };
const pair = (answer: object, more: object = {}): DataRow => ({
  prompt: [user],
  completion: [{ role: "assistant", content: "hello", ...answer }],
  ...more,
});

const cases: Record<string, Case> = {
  "nothing to say": { rows: [pair({})], chatTemplate: chatml, notes: [] },
  "nothing to say of texts": { rows: [{ prompt: "a", completion: " b" }], notes: [] },
  "no template": {
    rows: [pair({}), pair({})],
    files: { tokenizerConfig: { ...config, chat_template: undefined } },
    notes: [["stand-in template", /^the model has no chat template: .* give the model's own with chat_template$/]],
  },
  "a template is given to a model without": {
    rows: [pair({})],
    files: { tokenizerConfig: { ...config, chat_template: undefined } },
    chatTemplate: chatml,
    notes: [],
  },
  "several templates": {
    rows: [pair({})],
    files: {
      tokenizerConfig: {
        ...config,
        chat_template: [
          { name: "default", template: chatml },
          { name: "rag", template: "x" },
        ],
      },
    },
    notes: [["template default", /has 2 chat templates, and "default" is taken, not "rag"/]],
  },
  "several templates, in files": {
    rows: [pair({}, { tools: [{ name: "f" }] })],
    files: { chatTemplate: chatml, additionalChatTemplates: { tool_use: `{{ tools }}${chatml}` } },
    notes: [["template tool_use", /"tool_use" is taken, not "default"/]],
  },
  "the prompt of a DeepSeek distill": {
    rows: [pair({})],
    notes: [["prompt is no prefix", /writes "<think>\\n" at the end of the prompt/]],
  },
  "its answers with reasoning": {
    rows: [pair({ content: "<think>\nhm\n</think>\n\nhello" })],
    notes: [
      ["prompt is no prefix", /<think>/],
      ["reasoning is cut", /leaves the reasoning .* of answers out: it is not trained on; to train it give a template that keeps it/],
    ],
  },
  "reasoning under another name": {
    rows: [pair({ thinking: "six" })],
    chatTemplate:
      "{% for m in messages %}{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}{% endfor %}",
    notes: [["reasoning field", /as "thinking"; the template reads it as "reasoning_content"/]],
  },
  "reasoning for gpt-oss": {
    rows: [pair({ reasoning: "six" })],
    chatTemplate: "{% for m in messages %}{{ m.thinking }}{{ m.content }}{% endfor %}",
    notes: [["reasoning field", /as "reasoning"; the template reads it as "thinking"/]],
  },
  "reasoning that the template reads": {
    rows: [pair({ reasoning_content: "six" })],
    chatTemplate: "{% for m in messages %}{{ m.reasoning_content }}{{ m.content }}{% endfor %}",
    notes: [],
  },
  "fields that the template does not read": {
    rows: [pair({ tool_calls: [{ function: { name: "f" } }], reasoning: "hm", weight: 1, name: "" })],
    chatTemplate: chatml,
    notes: [
      ["field not read: tool_calls", /does not read "tool_calls" of messages: what it says is not trained on/],
      ["field not read: reasoning", /"reasoning"/],
    ],
  },
  "a template that prints whole messages reads all of them": {
    rows: [pair({ odd: "x" })],
    chatTemplate: "{% for m in messages %}{{ m | tojson }}{% endfor %}",
    notes: [],
  },
  "tools and variables that the template does not read": {
    rows: [pair({}, { tools: [{ name: "f" }], chat_template_kwargs: { enable_thinking: false } })],
    chatTemplate: chatml,
    notes: [
      ["tools not read", /does not read "tools"/],
      ["variable not read: enable_thinking", /does not read "enable_thinking" of "chat_template_kwargs"/],
    ],
  },
  "BOS in the texts": {
    rows: [{ prompt: `${BOS}a`, completion: " b" }],
    notes: [["BOS twice", /begins with two .*: the tokenizer writes one; take it out of the texts/]],
  },
  "EOS in the contents": {
    rows: [pair({ content: `hello${EOS}` })],
    chatTemplate: `{% for m in messages %}{{ m.content }}${EOS}{% endfor %}`,
    notes: [["EOS twice", /the chat template writes one; take it out of the contents/]],
  },
  "EOS from the post-processor": {
    rows: [{ prompt: "a", completion: " b" }],
    files: {
      tokenizerJson: {
        ...(files.tokenizerJson as object),
        post_processor: { type: "RobertaProcessing", cls: [BOS, 491], sep: [EOS, 488] },
      },
    },
    notes: [["EOS twice", /the tokenizer writes one/]],
  },
};

describe("what templates do is said once", () => {
  it.each(Object.entries(cases))("%s", (_, { rows, files: changed, chatTemplate, notes: expected }) => {
    const notes = new DataNotes();
    const tokenizer = Tokenizer.fromFiles({ ...files, ...changed });
    for (const [index, row] of rows.entries()) tokenizeRow(row, index, { tokenizer, chatTemplate, notes });
    const found = notes.list();
    expect(found.map(({ kind }) => kind)).toEqual(expected.map(([kind]) => kind));
    for (const [index, [, says]] of expected.entries()) expect(found[index]!.text).toMatch(says);
  });

  it("with how many rows it holds for", () => {
    const notes = new DataNotes();
    const tokenizer = Tokenizer.fromFiles(files);
    for (const index of [3, 5, 9]) tokenizeRow(pair({ content: "<think>\nhm\n</think>\n\nhello" }), index, { tokenizer, notes });
    expect(notes.list()).toMatchObject([
      { kind: "prompt is no prefix", count: 3, row: 3 },
      { kind: "reasoning is cut", count: 3, row: 3 },
    ]);
  });
});

describe("the ways to train reasoning that the note names", () => {
  const tokenizer = Tokenizer.fromFiles(files);
  const text = ({ promptIds, completionIds }: ScoredRow): string[] => [promptIds, completionIds].map((ids) => tokenizer.decode(ids));

  it("a template that keeps it", () => {
    const keeping = tokenizer.chatTemplate!.replace(".split('</think>')[-1]", "");
    const row = pair({ content: "<think>\nhm\n</think>\n\nhello" });
    expect(text(tokenizeRow(row, 0, { tokenizer, chatTemplate: keeping }))).toEqual([
      `${BOS}<｜User｜>hi<｜Assistant｜><think>\n`,
      `hm\n</think>\n\nhello${EOS}`,
    ]);
  });

  it("rows of text", () => {
    const row = { prompt: "<｜User｜>hi<｜Assistant｜><think>\n", completion: "hm\n</think>\n\nhello" };
    expect(text(tokenizeRow(row, 0, { tokenizer }))).toEqual([`${BOS}<｜User｜>hi<｜Assistant｜><think>\n`, `hm\n</think>\n\nhello${EOS}`]);
  });
});
