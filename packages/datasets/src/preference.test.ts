import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { Float } from "@kto/core";
import { Dataset, DataNotes, detectFormat, extractPrompt, idsOf, labelOf, textOf, unpairPreferenceDataset, type DataRow } from "./index.js";

const fixtures = new URL("../../testing/fixtures/", import.meta.url);
const user = [{ role: "user", content: "hi" }];
const assistant = [{ role: "assistant", content: "yes" }];

describe("extractPrompt", () => {
  const cases = JSON.parse(readFileSync(new URL("dpo/extract-prompt.json", fixtures), "utf8")) as {
    chosen: string;
    rejected: string;
    result: DataRow;
  }[];
  it.each(cases)("splits $chosen / $rejected as trl does", ({ chosen, rejected, result }) => {
    expect(extractPrompt({ chosen, rejected })).toEqual(result);
  });

  it("splits conversations at the first message that differs, whatever the order of its keys", () => {
    const sameUser = [{ content: "hi", role: "user", name: null }];
    const no = [{ role: "assistant", content: "no" }];
    expect(extractPrompt({ chosen: [...user, ...assistant], rejected: [...sameUser, ...no], id: 7 })).toEqual({
      prompt: user,
      chosen: assistant,
      rejected: no,
      id: 7,
    });
  });

  it("compares values as Python does: numbers by value, and objects whatever JavaScript makes of their keys", () => {
    const call = (value: unknown): object => ({ role: "assistant", tool_calls: [{ arguments: value }] });
    const shared = (a: unknown, b: unknown): number =>
      (extractPrompt({ chosen: [call(a), ...assistant], rejected: [call(b), ...user] }).prompt as unknown[]).length;
    expect([shared({ n: 25 }, { n: new Float(25) }), shared({ n: new Float(1) }, { n: new Float(2) })]).toEqual([1, 0]);
    expect([shared({ n: 9007199254740993n }, { n: 9007199254740992 }), shared({ n: true }, { n: 1 })]).toEqual([0, 1]);
    expect([shared(new Map([["1", "a"]]), { 1: "a" }), shared(new Map([["1", "a"]]), { 1: "b" })]).toEqual([1, 0]);
    expect(shared("1", 1)).toBe(0);
  });

  it("names the row of a pair that is incomplete, empty or mixed", () => {
    expect(() => extractPrompt({ chosen: "a" }, 3)).toThrow('row 3: the column "rejected" is missing');
    expect(() => extractPrompt({ chosen: "a", rejected: user }, 3)).toThrow("row 3: chosen and rejected are not of one kind");
    expect(() => extractPrompt({ chosen: "a", rejected: "" }, 3)).toThrow('row 3: "rejected" is empty');
  });
});

describe("unpairPreferenceDataset", () => {
  const pairs = (count: number): Dataset<DataRow> =>
    Dataset.from(Array.from({ length: count }, (_, id) => ({ id, prompt: "p", chosen: `c${id}`, rejected: `r${id}` })));

  it("gives the desirable rows of a batch, then its undesirable ones", () => {
    expect(unpairPreferenceDataset(pairs(3), 2).toArray()).toEqual(
      ["c0", "c1", "r0", "r1", "c2", "r2"].map((completion) => ({
        id: Number(completion[1]),
        prompt: "p",
        completion,
        label: completion[0] === "c",
      })),
    );
  });

  it("takes 1000 pairs at once", () => {
    const rows = unpairPreferenceDataset(pairs(1500));
    const place = (index: number): unknown => rows.at(index)["completion"];
    expect([999, 1000, 1999, 2000, 2499, 2500, 2999].map(place)).toEqual(["c999", "r0", "r999", "c1000", "c1499", "r1000", "r1499"]);
    expect(rows.length).toBe(3000);
  });

  it("names the pair whose side is missing", () => {
    const rows = unpairPreferenceDataset(Dataset.from<DataRow>([{ prompt: "p", chosen: "c", rejected: null }]));
    expect(() => rows.toArray()).toThrow('row 0: the column "rejected" is missing');
  });
});

describe("detectFormat", () => {
  it.each([
    [{ prompt: "p", completion: "c", label: true }, "unpaired", false],
    [{ prompt: user, completion: assistant, label: 0 }, "unpaired", true],
    [{ prompt: user, completion: assistant }, "prompt-completion", true],
    [{ prompt: "p", chosen: "c", rejected: "r" }, "paired", false],
    [{ chosen: user, rejected: user }, "implicit-prompt", true],
    [{ prompt: null, chosen: "c", rejected: "r" }, "implicit-prompt", false],
    [{ prompt_ids: [1], completion_ids: [2], label: true }, "tokenized", false],
    [{ prompt_ids: [1], chosen_ids: [2], rejected_ids: [3] }, "tokenized-pairs", false],
  ])("%j is %s", (row, type, conversational) => {
    expect(detectFormat(Dataset.from<DataRow>([row]))).toEqual({
      type,
      conversational,
      layout: type === "prompt-completion" ? "unpaired" : type,
    });
  });

  it("says which columns it found", () => {
    expect(() => detectFormat(Dataset.from<DataRow>([{ question: "p", answer: "c" }]))).toThrow(
      'got the columns ["question","answer"]; say which column is which (--prompt_column',
    );
  });
});

describe("checks of a row", () => {
  it("takes true, false, 1 and 0 as labels, also as text, and thumbs; and nothing else", () => {
    const notes = new DataNotes();
    const read = (labels: unknown[]): boolean[] => labels.map((label, index) => labelOf({ label }, index, notes));
    expect(read([true, 1, 1.0])).toEqual([true, true, true]);
    expect(read([false, 0, -0])).toEqual([false, false, false]);
    expect(notes.list()).toEqual([]);
    expect(read(["true", "True", "TRUE", " true ", "1", "👍", "👍\u{fe0f}", "👍\u{1f3fd}"])).toEqual(Array(8).fill(true));
    expect(read(["false", "False", "FALSE", "0", "👎", "👎\u{fe0e}", "👎\u{1f3ff}\u{fe0f}"])).toEqual(Array(7).fill(false));
    expect(notes.list()).toMatchObject([{ kind: "labels as text", count: 8, row: 0 }]);
    expect(labelOf({ kto_tag: false }, 0)).toBe(false);
    const others = ["yes", "good", "desirable", "", "1.0", "👌", -1, 2, 0.5, [], {}, Number.NaN, Infinity, 1n];
    for (const label of others) {
      expect(() => labelOf({ label }, 5)).toThrow("row 5: the label is neither true nor false; expected true, false, 1, 0, or as text");
    }
    expect(() => labelOf({ label: "yes" }, 5)).toThrow('got "yes" (string); mend or remove row 5 (counted from 0)');
    expect(() => labelOf({ prompt: "p" }, 5)).toThrow('row 5: the column "label" is missing; expected a value, got ["prompt"]');
    expect(() => labelOf({ label: null }, 5)).toThrow('row 5: the column "label" is missing (it is null)');
  });

  it("takes text and conversations, which may be empty, and refuses what is neither", () => {
    const call = [{ role: "assistant", content: null, tool_calls: [{}] }];
    for (const prompt of ["", " ", [], [{ role: "user", content: "" }], [{ role: "user" }], call])
      expect(textOf({ prompt }, "prompt", 2)).toBe(prompt);
    for (const prompt of [7, ["hi"], [{ content: "hi" }], { role: "user" }, [{ role: 7 }]]) {
      expect(() => textOf({ prompt }, "prompt", 2)).toThrow('row 2: "prompt" is neither text nor a conversation');
    }
    for (const prompt of [null, undefined]) expect(() => textOf({ prompt }, "prompt", 2)).toThrow('row 2: the column "prompt" is missing');
  });

  it("takes lists and typed arrays of ids", () => {
    expect(idsOf({ ids: new Uint32Array([1, 2]) }, "ids", 0)).toEqual([1, 2]);
    expect(idsOf({ ids: [3n, new Float(4)] }, "ids", 0)).toEqual([3, 4]);
    expect(idsOf({ ids: [] }, "ids", 0)).toEqual([]);
    for (const ids of [[-1], [0.5], ["1"], [true], [null], "12", 3])
      expect(() => idsOf({ ids }, "ids", 4)).toThrow('row 4: "ids" is not a list of token ids');
  });
});
