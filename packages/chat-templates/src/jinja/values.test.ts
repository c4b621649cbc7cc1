import { readFileSync } from "node:fs";
import { Float } from "@kto/core";
import { describe, expect, it } from "vitest";
import { renderChatTemplate, type TemplateError } from "../index.js";

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../testing/fixtures/jinja/${name}`, import.meta.url), "utf8"));

/** A text, or the class and message of an error. */
type Outcome = string | [error: string, message: string];

const messages = [{ role: "user", content: "hello" }];

function outcome(template: string, variables: Record<string, unknown> = {}): Outcome {
  try {
    return renderChatTemplate(template, messages, { variables });
  } catch (error) {
    const { errorType, reason } = error as TemplateError;
    return [errorType, reason];
  }
}

/** What Python reads as 25.0, 7310582941637725184, {"10": …, "2": …}, as the readers of `@kto/datasets` give it. */
const variables: Record<string, unknown> = {
  whole: new Float(25),
  int: 25,
  big: 7310582941637725184n,
  negbig: -9007199254740993n,
  nan: Number.NaN,
  inf: Infinity,
  ninf: -Infinity,
  negzero: new Float(-0),
  tiny: 1.5e-7,
  huge: new Float(1e22),
  third: 0.1,
  one: new Float(1),
  yes: true,
  order: new Map<string, unknown>([
    ["10", 1],
    ["2", new Float(25)],
    ["b", null],
    ["a", [new Float(1), 7310582941637725184n, Number.NaN]],
    ["__proto__", { x: new Float(-0) }],
  ]),
  call: {
    name: "pay",
    arguments: {
      order_id: 7310582941637725184n,
      amount: new Float(25),
      rate: new Float(1),
      note: 'é"\\\n\u2028<',
      nested: new Map<string, unknown>([
        ["9", []],
        ["1", {}],
      ]),
    },
  },
  list: [3, new Float(1), 2.5, new Float(25), 7310582941637725184n, -1],
  mixed: [1, new Float(1), true, "a", "A", null],
};

const table = read("values.json") as { expressions: string[]; values: Record<string, Outcome[]> };

describe.each(Object.keys(table.values))("%s is to a template what it is in Python", (name) => {
  it.each(table.expressions.map((expression, index) => [expression, table.values[name]![index]!] as const))(
    "%s",
    (expression, expected) => {
      expect(outcome(expression.replaceAll("V", name), variables)).toEqual(expected);
    },
  );
});

it.each(read("edges.json") as [string, Outcome][])("%s", (template, expected) => {
  expect(outcome(template)).toEqual(expected);
});

describe("where values stand", () => {
  const call = { function: { name: "pay", arguments: { amount: new Float(25), id: 7310582941637725184n } } };
  const shown = '{"function": {"name": "pay", "arguments": {"amount": 25.0, "id": 7310582941637725184}}}';

  it("in messages, tools and documents", () => {
    expect(renderChatTemplate("{{ messages[0].tool_calls[0] | tojson }}", [{ role: "assistant", tool_calls: [call] }])).toBe(shown);
    expect(renderChatTemplate("{{ tools[0] | tojson }}", messages, { tools: [call] })).toBe(shown);
    expect(renderChatTemplate("{{ documents[0] | tojson }}", messages, { documents: [call] })).toBe(shown);
  });

  it("a message that is a Map keeps the order of its keys, and loses those that are null", () => {
    const message = new Map<string, unknown>([
      ["role", "user"],
      ["7", 1],
      ["content", null],
      ["1", new Float(2)],
    ]);
    expect(renderChatTemplate("{{ messages[0] }}", [message as never])).toBe("{'role': 'user', '7': 1, '1': 2.0}");
    expect(renderChatTemplate("{{ messages[0] }}", [message as never], { keepNulls: true })).toBe(
      "{'role': 'user', '7': 1, 'content': None, '1': 2.0}",
    );
  });

  it("what is no JSON is the name of its type, as in transformers", () => {
    expect(outcome("{{ [d, b] | tojson }}", { d: new Date(0), b: new Uint8Array(2) })).toBe('["<datetime>", "<bytes>"]');
  });
});
