import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TemplateError } from "../errors.js";
import { renderChatTemplate } from "../render.js";

interface Case {
  template: string;
  text?: string;
  error?: string;
  message?: string;
  line?: number;
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
  ["{% macro f", "the library's parser: we say which token cannot stand there"],
  ["{{ dict(a=1, 2) }}", "the library's parser: we say which token cannot stand there"],
  ["{{ range(*[1], 5) }}", "the library's parser: we say which token cannot stand there"],
  ["{{ range(*[1, 7], **{}) | list }}", "the library's parser: we say which token cannot stand there"],
  ["{% set l[0] = 1 %}", "we say that an expression cannot be assigned to"],
  ["{% set x.y.z = 1 %}", "we say that an expression cannot be assigned to"],
  ["{% with a = 1, %}", "we name the token that is missing"],
  ["{{ {'a' 1} }}", "we expect a comma where Jinja2 expects a colon"],
  ["{{ l|batch(2)[0] }}", "we say what cannot be read"],
  ["{{ l|first.x }}", "Jinja2 takes a name with a dot for the name of a filter it does not know"],
  ["{{ s is defined.x }}", "Jinja2 takes a name with a dot for the name of a test it does not know"],
  ["{{ i is eq(1, 2) }}", "Python names the function that implements the test"],
  ["{% include 'x' %}", "refused when compiled, not when reached: there is never another template to include"],
  ["{% break %}", "ours is a TemplateSyntaxError, Python's compiler has its own SyntaxError"],
  ["{% if t %}{{ 'a' | nosuch }}", "the word 'found' at the end"],
];

/** What Jinja2 renders and we refuse: the start of a template. Decision 0003 lists them. */
const NOT_SUPPORTED: readonly string[] = [
  "{{ 1 if n if t else 3 }}",
  "{% for x in l %}{{ x if x > 1 if x < 3 }}",
  "{% for x, in [(1,), (2,)] %}",
  "{{ l[] }}",
];

describe("Jinja2 in the environment of transformers", () => {
  it.each(cases.map((item) => [item.template, item] as const))("%s", (template, { text, error, message, line }) => {
    const run = (): string => renderChatTemplate(template, [{ role: "user", content: "hello" }], { variables });
    if (NOT_SUPPORTED.some((start) => template.startsWith(start))) {
      expect(run).toThrow(TemplateError);
      return;
    }
    if (error === undefined) {
      expect(run()).toBe(text);
      return;
    }
    expect(run).toThrow(TemplateError);
    if (line !== undefined) expect(run).toThrow(expect.objectContaining({ line }));
    if (OTHER_WORDS.some(([start]) => template.startsWith(start))) return;
    try {
      run();
    } catch (thrown) {
      expect({ error: (thrown as TemplateError).errorType, message: (thrown as TemplateError).reason }).toEqual({ error, message });
    }
  });
});
