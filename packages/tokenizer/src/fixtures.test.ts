import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { ChatMessage } from "@kto/chat-templates";
import { splitPromptCompletion } from "./index.js";
import { loadTokenizer } from "./node.js";

const fixtures = new URL("../../testing/fixtures/", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, fixtures), "utf8");
const readLines = <Row>(path: string): Row[] =>
  read(path)
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);

const tokenizer = await loadTokenizer(fileURLToPath(new URL("model", fixtures)));

interface Case {
  text: string;
  ids: number[];
  ids_with_special: number[];
  decoded: string;
  decoded_skipping_special: string;
}

describe("ids of the Rust library", () => {
  it.each(
    readLines<Case>("tokenizer/cases.jsonl").map((row, index) => [`${index} ${JSON.stringify(row.text).slice(0, 40)}`, row] as const),
  )("%s", (_, row) => {
    expect(tokenizer.encode(row.text, { addSpecialTokens: false })).toEqual(row.ids);
    expect(tokenizer.encode(row.text)).toEqual(row.ids_with_special);
    expect(tokenizer.decode(row.ids)).toBe(row.decoded);
    expect(tokenizer.decode(row.ids, { skipSpecialTokens: true })).toBe(row.decoded_skipping_special);
  });

  it("decodes every prefix of a sequence that cuts characters", () => {
    const { ids, decoded_prefixes } = JSON.parse(read("tokenizer/partial.json")) as { ids: number[]; decoded_prefixes: string[] };
    expect(decoded_prefixes.map((_, length) => tokenizer.decode(ids.slice(0, length)))).toEqual(decoded_prefixes);
  });
});

interface Rendering {
  template: string;
  messages: ChatMessage[];
  options: { add_generation_prompt?: boolean; continue_final_message?: boolean; tools?: object[] };
  nulls_kept?: boolean;
  ids?: number[];
  assistant_mask?: number[];
}

it("tokenises every rendering, with the mask of generation blocks, as transformers", () => {
  let masks = 0;
  for (const row of readLines<Rendering>("templates/renderings.jsonl").filter(({ ids }) => ids)) {
    const options = {
      chatTemplate: read(`templates/${row.template}.jinja`),
      addGenerationPrompt: row.options.add_generation_prompt,
      continueFinalMessage: row.options.continue_final_message,
      tools: row.options.tools,
      keepNulls: row.nulls_kept,
    };
    expect(tokenizer.applyChatTemplate(row.messages, options)).toEqual(row.ids);
    if (!row.assistant_mask) continue;
    masks++;
    expect(tokenizer.applyChatTemplateWithMask(row.messages, options)).toEqual({ ids: row.ids, assistantMask: row.assistant_mask });
  }
  expect(masks).toBeGreaterThan(20);
});

interface Row {
  prompt: string | ChatMessage[];
  completion: string | ChatMessage[];
}
interface Tokenised {
  row: number;
  prompt_ids: number[];
  completion_ids: number[];
}

/** Data file of each tokenised set that is not made of `rows.jsonl`; paired rows are unpaired by `@kto/datasets`. */
const DATA: Record<string, string> = { text: "text-rows.jsonl", ragged: "rows-ragged.jsonl" };
const sets = readdirSync(new URL("kto/tokenized/", fixtures)).filter((name) => name !== "paired.jsonl");

describe("prompt and completion ids of trl", () => {
  it.each(sets)("%s", (file) => {
    const [name = "", template] = file.replace(/\.jsonl$/, "").split(/\.(.*)/s);
    const chatTemplate = template ? read(`templates/${template}.jinja`) : undefined;
    const rows = readLines<Row>(`kto/${DATA[name] ?? "rows.jsonl"}`);
    for (const expected of readLines<Tokenised>(`kto/tokenized/${file}`)) {
      expect(splitPromptCompletion(tokenizer, rows[expected.row]!, { chatTemplate })).toEqual({
        promptIds: expected.prompt_ids,
        completionIds: expected.completion_ids,
      });
    }
  });
});
