import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { Dataset, detectFormat, extractPrompt, idsOf, labelOf, textOf, unpairPreferenceDataset, type DataRow } from "./index.js";

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

  it("names the row of a pair that is incomplete or mixed", () => {
    expect(() => extractPrompt({ chosen: "a" }, 3)).toThrow('row 3: the column "rejected" is missing');
    expect(() => extractPrompt({ chosen: "a", rejected: user }, 3)).toThrow("row 3: chosen and rejected are not of one kind");
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
  ])("%j is %s", (row, type, conversational) => {
    expect(detectFormat(Dataset.from<DataRow>([row]))).toEqual({ type, conversational });
  });

  it("says which columns it found", () => {
    expect(() => detectFormat(Dataset.from<DataRow>([{ question: "p", answer: "c" }]))).toThrow('got ["question","answer"]');
  });
});

describe("checks of a row", () => {
  it("takes true, false, 1 and 0 as labels and nothing else", () => {
    expect([true, false, 1, 0].map((label) => labelOf({ label }, 0))).toEqual([true, false, true, false]);
    for (const label of ["true", "1", 2, [], Number.NaN]) {
      expect(() => labelOf({ label }, 5)).toThrow("row 5: the label has the wrong type or value; expected true, false, 1 or 0");
    }
    expect(() => labelOf({ prompt: "p" }, 5)).toThrow('row 5: the column "label" is missing; expected a value, got ["prompt"]');
  });

  it("refuses text and conversations that are empty or neither", () => {
    for (const prompt of ["", [], [{ role: "user", content: "" }], [{ role: "user", content: null }]]) {
      expect(() => textOf({ prompt }, "prompt", 2)).toThrow('row 2: "prompt" is empty');
    }
    for (const prompt of [7, ["hi"], [{ content: "hi" }], { role: "user" }]) {
      expect(() => textOf({ prompt }, "prompt", 2)).toThrow('row 2: "prompt" is neither text nor a conversation');
    }
    const call = [{ role: "assistant", content: null, tool_calls: [{}] }];
    expect(textOf({ prompt: call }, "prompt", 0)).toBe(call);
  });

  it("takes lists and typed arrays of ids", () => {
    expect(idsOf({ ids: new Uint32Array([1, 2]) }, "ids", 0)).toEqual([1, 2]);
    for (const ids of [[], [-1], [0.5], ["x"], "12", 3])
      expect(() => idsOf({ ids }, "ids", 4)).toThrow('row 4: "ids" is not a list of token ids');
  });
});
