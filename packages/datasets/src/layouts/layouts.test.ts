import { Float } from "@kto/core";
import { describe, expect, it } from "vitest";

import { Dataset, detectFormat, expectLayout, layoutOfDataset, layouts, readCsv, type DataRow } from "../index.js";

const human = (value: string): DataRow => ({ from: "human", value });
const gpt = (value: string): DataRow => ({ from: "gpt", value });
const user = { role: "user", content: "q" };
const assistant = { role: "assistant", content: "a" };

/** The row as trl takes it, checked against the layout of a file of its own. */
function toTrl(row: DataRow): DataRow {
  const layout = layoutOfDataset(Dataset.from([row]));
  expectLayout(row, 0, layout);
  return layout.toTrl?.(row, 0) ?? row;
}

describe("layouts", () => {
  it.each<[string, DataRow, DataRow]>([
    ["conversations", { conversations: [human("q"), gpt("a")], label: true, id: 7 }, { prompt: [user], completion: [assistant] }],
    ["conversations", { messages: [user, assistant, assistant], label: 1 }, { prompt: [user], completion: [assistant, assistant] }],
    [
      "conversations",
      { conversation: [user], system: "s", tools: "[]" },
      { tools: "[]", prompt: [{ role: "system", content: "s" }, user], completion: [] },
    ],
    [
      "conversations",
      { messages: [{ role: "system", content: "own" }, user, assistant], system: "s" },
      { prompt: [{ role: "system", content: "own" }, user], completion: [assistant] },
    ],
    [
      "conversation-pairs",
      { conversations: [human("q")], chosen: gpt("a"), rejected: [gpt("b")] },
      { prompt: [user], chosen: [assistant], rejected: [{ role: "assistant", content: "b" }] },
    ],
    [
      "implicit-prompt",
      { messages: [user, assistant], chosen: [user, assistant], rejected: [user] },
      { messages: [user, assistant], chosen: [user, assistant], rejected: [user] },
    ],
    [
      "paired",
      { prompt: [human("q")], chosen: gpt("a"), rejected: [assistant] },
      { prompt: [user], chosen: [assistant], rejected: [assistant] },
    ],
    [
      "paired",
      { prompt: "q", chosen: "a", rejected: "b", instruction: "i" },
      { prompt: "q", chosen: "a", rejected: "b", instruction: "i" },
    ],
    [
      "rejected-response",
      { messages: [user, assistant], rejected_response: "" },
      { prompt: [user], chosen: [assistant], rejected: [{ role: "assistant", content: "" }] },
    ],
    ["rejected-messages", { messages: [user, assistant], rejected_messages: [user] }, { chosen: [user, assistant], rejected: [user] }],
    ["instructions", { instruction: "q", input: "", output: "a" }, { prompt: [user], completion: [assistant] }],
    ["instructions", { query: "q", input: "i", response: "a" }, { prompt: [{ role: "user", content: "q\ni" }], completion: [assistant] }],
    [
      "instruction-pairs",
      { instruction: "q", chosen: "a", rejected: "b", history: null },
      { prompt: [user], chosen: [assistant], rejected: [{ role: "assistant", content: "b" }] },
    ],
    [
      "openai-preference",
      { input: { messages: [user], tools: [{}] }, preferred_output: [assistant], non_preferred_output: [assistant] },
      { prompt: [user], chosen: [assistant], rejected: [assistant], tools: [{}] },
    ],
    ["unpaired", { prompt: "q", completion: "a", messages: [user] }, { prompt: "q", completion: "a", messages: [user] }],
  ])("%s: %j", (name, row, trl) => {
    expect(detectFormat(Dataset.from([row])).layout).toBe(name);
    expect(toTrl(row)).toEqual(trl);
  });

  it("have names of their own, and read what they need", () => {
    expect(new Set(layouts.map(({ name }) => name)).size).toBe(layouts.length);
    for (const { needs, reads, columns } of layouts) {
      expect(reads).toEqual(expect.arrayContaining(needs.flat()));
      for (const group of needs) expect(group.some((column) => columns.includes(`\`${column}\``))).toBe(true);
    }
  });

  it("make calls of functions tool_calls, one or several", () => {
    const call = (value: unknown): DataRow[] =>
      toTrl({ conversations: [human("q"), { from: "function_call", value }, gpt("a")] })["completion"] as DataRow[];
    const made = (name: string, given: unknown): object => ({ type: "function", function: { name, arguments: given } });
    expect(call('{"name": "f", "arguments": {"x": 1}}')).toEqual([{ role: "assistant", tool_calls: [made("f", { x: 1 })] }, assistant]);
    expect(call('[{"name": "f"}, {"name": "g", "arguments": "{}"}]')[0]).toEqual({
      role: "assistant",
      tool_calls: [made("f", {}), made("g", "{}")],
    });
    expect(call({ name: "f", arguments: {} })[0]).toEqual({ role: "assistant", tool_calls: [made("f", {})] });
    expect(call('{"name": "f", "arguments": {"id": 9007199254740993, "x": 25.0}}')[0]).toEqual({
      role: "assistant",
      tool_calls: [made("f", { id: 9007199254740993n, x: new Float(25) })],
    });
    for (const value of ["f(x)", "[]", '{"arguments": {}}', 7])
      expect(() => call(value)).toThrow(/row 0: a function call of "conversations" cannot be read; .* in turn 1/);
  });

  it("keep what a turn holds besides", () => {
    const turn = { role: "assistant", content: "a", tool_calls: [{}], reasoning_content: "r" };
    expect(toTrl({ messages: [user, turn] })["completion"]).toEqual([turn]);
    expect(toTrl({ messages: [user, { role: "assistant", tool_calls: [{}] }] })["completion"]).toEqual([
      { role: "assistant", tool_calls: [{}] },
    ]);
  });

  it("refuse what is no turn, and speakers that are not known", () => {
    expect(() => toTrl({ conversations: [{ from: "narrator", value: "x" }] })).toThrow(
      'a turn of "conversations" is of an unknown speaker',
    );
    expect(toTrl({ messages: [{ role: "developer", content: "d" }, user, assistant] })["prompt"]).toEqual([
      { role: "developer", content: "d" },
      user,
    ]);
    for (const conversations of ["q", 7, { a: 1 }, [1], [{ value: "x" }], [[]]]) {
      expect(() => toTrl({ conversations })).toThrow('row 0: "conversations" is not a conversation');
    }
    expect(() => toTrl({ instruction: 7, output: "a" })).toThrow('row 0: "instruction" is not text');
    expect(() => toTrl({ instruction: "q", output: "a", history: ["x"] })).toThrow('row 0: "history" is not a list of turns');
    expect(() => toTrl({ input: [user], preferred_output: [], non_preferred_output: [] })).toThrow('row 0: "input" holds no conversation');
    expect(() => toTrl({ conversations: [human("q"), gpt("a")], chosen: "b", rejected: "c" })).toThrow(
      "the conversation ends with the assistant",
    );
  });

  it("of a dataset are those of its first row, or of what its rows have together", () => {
    const rows: DataRow[] = [{ prompt: "p" }, { prompt: "p", completion: "c", label: true }];
    const layout = layoutOfDataset(Dataset.from(rows));
    expect(layout.name).toBe("unpaired");
    expect(() => expectLayout(rows[0]!, 0, layout)).toThrow('row 0: the column "completion" is missing');
    const pairs = layoutOfDataset(Dataset.from([{ prompt: "p", chosen: "a", rejected: "b" }]));
    expect(() => expectLayout({ prompt: null, chosen: "a", rejected: "b" }, 4, pairs)).toThrow(
      'row 4: the column "prompt" is missing (it is null)',
    );
    expect(() => expectLayout({ prompt: "p", completion: "c" }, 4, pairs)).toThrow("row 4: it is of another layout than the rows before");
    expect(() => expectLayout({ text: "x" }, 4, pairs)).toThrow('row 4: the column "prompt" is missing');
  });
});

describe("in files", () => {
  it("columns that hold text in some layout stay text in a table", async () => {
    const rows = await readCsv("instruction;output;label\nAdd 1 and 2;3;true\nAdd 1 and 0;01;false\n");
    expect(rows.toArray()).toEqual([
      { instruction: "Add 1 and 2", output: "3", label: true },
      { instruction: "Add 1 and 0", output: "01", label: false },
    ]);
    expect(detectFormat(rows)).toEqual({ type: "unpaired", conversational: true, layout: "instructions" });
  });
});
