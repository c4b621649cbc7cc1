import { loadDataset } from "@kto/datasets";
import { fixturePath } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { expect, it } from "vitest";

import { tokenizeRow } from "./tokenize-row.js";

/** Shows the tools, and each call's arguments both as JSON and printed. */
const chatTemplate =
  "{%- for t in tools or [] %}{{- t | tojson }}{{- '\\n' }}{%- endfor %}{%- for m in messages %}{%- for c in m.tool_calls or [] %}{{- c.function.arguments | tojson }} {{ c.function.arguments.amount }}{%- endfor %}{%- endfor %}";

const plain = '{"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Hello"}], "label": false}';
const call = (args: string, tools?: string): string =>
  `{"prompt": [{"role": "user", "content": "Pay"}], "completion": [{"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "pay", "arguments": ${args}}}]}], "label": true${tools === undefined ? "" : `, "tools": ${tools}`}}`;
const tool = (minimum: string): string =>
  `{"type": "function", "function": {"name": "pay", "parameters": {"type": "object", "properties": {"amount": {"type": "number", "minimum": ${minimum}}}}}}`;

/** `[what, lines of the file, the text of the first row]`: the text is that of transformers 5.24, of the row that datasets 5.2 reads. */
const cases: [string, string[], string][] = [
  [
    "long integers and whole floats",
    [call('{"order_id": 7310582941637725184, "amount": 25.0, "rate": 1.0}', `[${tool("0.0")}]`), plain],
    `${tool("0.0")}\n{"order_id": 7310582941637725184, "amount": 25.0, "rate": 1.0} 25.0`,
  ],
  [
    "an integer beside floats, the same keys in all rows",
    [call('{"amount": 25, "n": 1}'), call('{"amount": 25.5, "n": 2}')],
    '{"amount": 25.0, "n": 1} 25.0',
  ],
  [
    "an integer beside floats, other keys in some rows",
    [call('{"amount": 25, "n": 1}'), call('{"amount": 25.5}')],
    '{"amount": 25, "n": 1} 25',
  ],
  ["tools as JSON text", [call('{"amount": 1}', JSON.stringify(`[${tool("0.0")}]`)), plain], `${tool("0.0")}\n{"amount": 1} 1`],
  [
    "tools as JSON text with what JSON.parse loses",
    [call('{"amount": 1}', JSON.stringify(`[${tool("[123456789012345678901234567890, 1e5, -0.0, NaN]")}]`)), plain],
    `${tool("[123456789012345678901234567890, 100000.0, -0.0, NaN]")}\n{"amount": 1} 1`,
  ],
  [
    "keys that JavaScript reorders",
    [call('{"b": 1, "10": 2, "9": 3, "amount": 2.0}'), plain],
    '{"b": 1, "10": 2, "9": 3, "amount": 2.0} 2.0',
  ],
  [
    "exponents",
    [call('{"amount": 1e16, "a": 1e-7, "b": 1E5, "d": 0.1, "e": 1e22}'), plain],
    '{"amount": 1e+16, "a": 1e-07, "b": 100000.0, "d": 0.1, "e": 1e+22} 1e+16',
  ],
  ["NaN among other keys", [call('{"amount": NaN, "a": Infinity}'), call('{"b": 1}')], '{"amount": null, "a": null} None'],
  ["NaN in a typed column", [call('{"amount": NaN}'), call('{"amount": 1}')], '{"amount": NaN} nan'],
];

const tokenizer = await loadTokenizer(fixturePath("model"));

it.each(cases)("%s", async (_what, lines, text) => {
  const dataset = await loadDataset(lines.join("\n"), { name: "rows.jsonl" });
  const { promptIds, completionIds } = tokenizeRow(dataset.at(0), 0, { tokenizer, chatTemplate });
  expect(tokenizer.decode([...promptIds, ...completionIds])).toBe(text);
});
