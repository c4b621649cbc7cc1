import { readFileSync } from "node:fs";
import { isKtoError } from "@kto/core";
import { describe, expect, it } from "vitest";
import { renderChatTemplate, type TemplateError, type ChatMessage } from "./index.js";

const folder = new URL("../../testing/fixtures/templates/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");

const specialTokens = { bos_token: "<｜begin▁of▁sentence｜>", eos_token: "<｜end▁of▁sentence｜>" };

interface Outcome {
  text?: string;
  error?: string;
  message?: string;
}

interface Rendering extends Outcome {
  template: string;
  case: string;
  messages: ChatMessage[];
  options: { add_generation_prompt?: boolean; continue_final_message?: boolean; tools?: object[] };
  nulls_kept?: boolean;
}

interface Feature extends Outcome {
  name: string;
  template: string;
  variables: Record<string, unknown>;
}

/** What happened, in the words of the fixtures. */
function outcome(run: () => string): Outcome {
  try {
    return { text: run() };
  } catch (error) {
    expect(isKtoError(error)).toBe(true);
    const { errorType, reason } = error as TemplateError;
    return { error: errorType, message: reason };
  }
}

const expected = ({ text, error, message }: Outcome): Outcome => (error === undefined ? { text } : { error, message });

const rows = read("renderings.jsonl")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Rendering);
const templates = new Map([...new Set(rows.map((row) => row.template))].map((name) => [name, read(`${name}.jinja`)]));

describe.each([...templates.keys()])("template %s renders as transformers does", (name) => {
  it.each(rows.filter((row) => row.template === name).map((row, index) => [`${index} ${row.case}`, row] as const))("%s", (_, row) => {
    const run = (): string =>
      renderChatTemplate(templates.get(name)!, row.messages, {
        specialTokens,
        addGenerationPrompt: row.options.add_generation_prompt,
        continueFinalMessage: row.options.continue_final_message,
        tools: row.options.tools,
        keepNulls: row.nulls_kept,
      });
    expect(outcome(run)).toEqual(expected(row));
  });
});

describe("Jinja features", () => {
  it.each((JSON.parse(read("features.json")) as Feature[]).map((feature) => [feature.name, feature] as const))("%s", (_, feature) => {
    const run = (): string => renderChatTemplate(feature.template, [{ role: "user", content: "hello" }], { variables: feature.variables });
    expect(outcome(run)).toEqual(expected(feature));
  });
});

it("holds all rows of the fixtures", () => {
  expect(rows.length).toBe(660);
});
