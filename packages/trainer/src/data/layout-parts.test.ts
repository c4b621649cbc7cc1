import { Dataset, DataNotes, interleaveDatasets, type DataRow } from "@kto/datasets";
import { fixturePath } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { beforeAll, describe, expect, it } from "vitest";
import { prepareKtoDataset, preparePairDataset, prepareSftDataset, type KtoRow, type Tokenizer } from "../index.js";

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await loadTokenizer(fixturePath("model"));
});

const turn = (role: string, content: string): DataRow => ({ role, content });
const labelled = Dataset.from(
  Array.from({ length: 5 }, (_, row): DataRow => ({ prompt: `P ${row}`, completion: " c", label: row % 2 === 0 })),
);
const pairs = Dataset.from(Array.from({ length: 3 }, (_, row): DataRow => ({ prompt: `Q ${row}`, chosen: " yes", rejected: " no" })));
const chats = Dataset.from<DataRow>([{ messages: [turn("user", "Hi"), turn("assistant", "Yo")], label: true }]);
const texts = Dataset.from<DataRow>([{ text: "one" }, { text: "" }, { text: "three" }]);
const instructions = Dataset.from<DataRow>([{ instruction: "Do", output: "Done", label: false }]);

const named = (...parts: Dataset<DataRow>[]): Dataset<DataRow> =>
  Dataset.concatenate(parts, { names: parts.map((_part, index) => `part ${index}`) });
const untied = (rows: Iterable<KtoRow>, shift: number): KtoRow[] =>
  Array.from(rows, (row) => ({ ...row, sourceIndex: row.sourceIndex + shift }));

describe("data of several layouts", () => {
  it("trains KTO on each part as on it alone", async () => {
    const options = { tokenizer, lossType: "apo_zero_unpaired" as const };
    const alone = await Promise.all([labelled, pairs, chats, instructions].map((part) => prepareKtoDataset(part, options)));
    const { rows, notes, format, classBalance } = await prepareKtoDataset(named(labelled, pairs, chats, instructions), options);
    const shifts = [0, 5, 8, 9];
    expect([...rows]).toEqual(alone.flatMap((part, index) => untied(part.rows, shifts[index]!)));
    expect(classBalance).toMatchObject({ desirable: 3 + 3 + 1, undesirable: 2 + 3 + 1 });
    expect(format.parts!.map(({ layout }) => layout)).toEqual(["unpaired", "paired", "conversations", "instructions"]);
    const kinds = notes.map(({ kind }) => kind);
    expect(kinds).toEqual(expect.arrayContaining(["layout of part 2", "layout of part 3", "unpaired"]));
    expect(kinds).not.toContain("texts and conversations");
    expect(notes.find(({ kind }) => kind === "layout of part 2")!.text).toMatch(/^the rows of part 2 are whole conversations/);
  });

  it("says of a dropped row where it stands, and which side of a pair it is", async () => {
    const empty = Dataset.from<DataRow>([
      { chosen: "", rejected: "x" },
      { chosen: "a b", rejected: "a c" },
    ]);
    const { dropped, rows } = await prepareKtoDataset(named(labelled, empty), { tokenizer });
    expect(dropped).toEqual([true, false].map((label) => ({ index: 5, label, reason: { kind: "nothing shared" } })));
    expect([...rows].map(({ sourceIndex }) => sourceIndex)).toEqual([0, 1, 2, 3, 4, 6, 6]);
  });

  it("keeps its parts when it is mixed and cut", async () => {
    const mixed = interleaveDatasets([labelled, pairs], { probabilities: [1, 1], names: ["a", "b"], seed: 1 }).take(5);
    const expected = mixed
      .toArray()
      .flatMap((row, sourceIndex) =>
        (row["label"] === undefined ? [true, false] : [row["label"]]).map((label) => ({ label, sourceIndex, text: row["prompt"] })),
      );
    const { rows } = await prepareKtoDataset(mixed, { tokenizer });
    const told = Array.from(rows, ({ label, sourceIndex, promptIds }) => ({
      label,
      sourceIndex,
      text: tokenizer.decode!([...promptIds], { skipSpecialTokens: true }),
    }));
    const order = (row: { sourceIndex: number; label: unknown }): number => 2 * row.sourceIndex + (row.label === true ? 0 : 1);
    expect(told.toSorted((a, b) => order(a) - order(b))).toEqual(expected);
    expect(new Set(told.map(({ text }) => text[0]))).toEqual(new Set(["P", "Q"]));
  });

  it("trains SFT on texts, conversations and completions together", async () => {
    const parts = [texts, chats, labelled, pairs];
    const alone = await Promise.all(parts.map((part) => prepareSftDataset(part, { tokenizer })));
    const { rows, tokens } = await prepareSftDataset(named(...parts), { tokenizer });
    expect([...rows].map(({ documents }) => documents)).toEqual(alone.flatMap((part) => [...part.rows].map(({ documents }) => documents)));
    expect(tokens.scored).toBe(alone.reduce((sum, part) => sum + part.tokens.scored, 0));
  });

  it("trains DPO on pairs of several layouts", async () => {
    const implicit = Dataset.from<DataRow>([{ chosen: "a b", rejected: "a c" }]);
    const { rows } = await preparePairDataset(named(pairs, implicit), { tokenizer });
    expect([...rows].map(({ sourceIndex }) => sourceIndex)).toEqual([0, 1, 2, 3]);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      "of no layout",
      () => prepareKtoDataset(named(labelled, texts), { tokenizer }),
      /^part 1: the rows are of no layout that is read; .*got the columns \["text"\]/,
    ],
    [
      "without labels",
      () => prepareKtoDataset(named(pairs, labelled.removeColumns("label")), { tokenizer }),
      /^part 1: the column "label" is missing; .*got the columns \["prompt","completion"\]/,
    ],
    ["of no pairs", () => preparePairDataset(named(pairs, labelled), { tokenizer }), /^part 1: there is no pair of answers/],
    [
      "without completions, where they alone are scored",
      () => prepareSftDataset(named(labelled, texts), { tokenizer, completionOnlyLoss: true }),
      /^part 1: completionOnlyLoss needs to know where the completion begins; .*, got rows of the layout text/,
    ],
    [
      "with a row of another part's layout",
      () => prepareKtoDataset(named(labelled, Dataset.concatenate([pairs, labelled])), { tokenizer }),
      /of another layout than the rows before/,
    ],
    [
      "without names",
      () => prepareKtoDataset(Dataset.concatenate([labelled, pairs]), { tokenizer }),
      /of another layout than the rows before/,
    ],
  ])("refuses a part %s", async (_what, prepare, message) => {
    await expect(prepare()).rejects.toThrow(message);
  });

  it("tells its notes of one part once, and of all where all are of one kind", async () => {
    const notes = new DataNotes();
    const { format } = await prepareKtoDataset(named(instructions, instructions, labelled), { tokenizer, notes });
    expect(notes.list().filter(({ kind }) => kind.startsWith("layout"))).toHaveLength(2);
    expect(format.parts).toHaveLength(3);
    expect((await prepareKtoDataset(named(labelled, labelled), { tokenizer })).format.parts).toBeUndefined();
  });
});
