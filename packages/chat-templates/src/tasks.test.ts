import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  applyChatTemplateTask,
  type ChatTemplateTask,
  DEFAULT_CHAT_TEMPLATE,
  renderChatTemplate,
  TemplateError,
  type TemplateRenderer,
} from "./index.js";

interface TaskCase {
  template: string;
  task: ChatTemplateTask;
  example: Record<string, unknown>;
  result: Record<string, unknown>;
}

const file = new URL("../../testing/fixtures/jinja/tasks.json", import.meta.url);
const { templates, cases, bos_token, eos_token } = JSON.parse(readFileSync(file, "utf8")) as {
  templates: Record<string, string>;
  cases: TaskCase[];
  bos_token: string;
  eos_token: string;
};

const renderer = (template: string): TemplateRenderer => ({
  applyChatTemplate: (messages, { addGenerationPrompt }) =>
    renderChatTemplate(template, messages, { addGenerationPrompt, specialTokens: { bos_token, eos_token } }),
});

it("has the tutorial's default template", () => {
  expect(DEFAULT_CHAT_TEMPLATE).toBe(templates["default"]);
});

describe("tasks of the tutorial", () => {
  it.each(cases.map((item, index) => [`${index} ${item.template} ${item.task}`, item] as const))(
    "%s",
    (_, { template, task, example, result }) => {
      const given = structuredClone(example);
      expect(applyChatTemplateTask(given, renderer(templates[template]!), task)).toEqual(result);
      expect(given).toEqual(example);
    },
  );

  it("refuses rows without what a task reads, and unknown tasks", () => {
    const tokenizer = renderer(DEFAULT_CHAT_TEMPLATE);
    expect(() => applyChatTemplateTask({ prompt: "x" }, tokenizer, "kto")).toThrow(
      "column 'chosen' of task 'kto' is missing; the row has [prompt]",
    );
    expect(() => applyChatTemplateTask({ messages: "x" }, tokenizer)).toThrow(TemplateError);
    expect(() =>
      applyChatTemplateTask(
        { chosen: [{ role: "assistant", content: "a" }], rejected: [{ role: "user", content: "a" }] },
        tokenizer,
        "dpo",
      ),
    ).toThrow("needs a user message");
    expect(() => applyChatTemplateTask({ messages: [] }, tokenizer, "ppo" as ChatTemplateTask)).toThrow("task 'ppo' is not supported");
  });
});
