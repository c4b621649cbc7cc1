import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TemplateError } from "../errors.js";
import { renderChatTemplate } from "../render.js";

interface Case {
  template: string;
  text?: string;
  error?: string;
  message?: string;
}

const file = new URL("../../../testing/fixtures/jinja/cases.json", import.meta.url);
const { variables, cases } = JSON.parse(readFileSync(file, "utf8")) as { variables: Record<string, unknown>; cases: Case[] };

/** Where we also fail, but in other words: how a template starts, and why. */
const OTHER_WORDS: readonly [string, string][] = [
  ["{{ i is divisibleby }}", "Python names the function that implements the test"],
  ["{{ s|center(width=3, nope=1) }}", "Python names the function that implements the filter"],
  ["{{ s|replace('a') }}", "Python names the function that implements the filter"],
  ['{{ "a\\x41', "names of characters, \\N{…}, are refused whole: a table of them is larger than this package"],
  ["{% set 1 = 2 %}", "we say which token cannot stand there"],
  ["{% include 'x' %}", "refused when compiled, not when reached: there is never another template to include"],
  ["{% break %}", "ours is a TemplateSyntaxError, Python's compiler has its own SyntaxError"],
  ["{% if t %}{{ 'a' | nosuch }}", "the word 'found' at the end"],
];

describe("Jinja2 in the environment of transformers", () => {
  it.each(cases.map((item) => [item.template, item] as const))("%s", (template, { text, error, message }) => {
    const run = (): string => renderChatTemplate(template, [{ role: "user", content: "hello" }], { variables });
    if (error === undefined) {
      expect(run()).toBe(text);
      return;
    }
    expect(run).toThrow(TemplateError);
    if (OTHER_WORDS.some(([start]) => template.startsWith(start))) return;
    try {
      run();
    } catch (thrown) {
      expect({ error: (thrown as TemplateError).errorType, message: (thrown as TemplateError).reason }).toEqual({ error, message });
    }
  });
});
