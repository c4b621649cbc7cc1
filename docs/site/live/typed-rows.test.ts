import { expect, it } from "vitest";
import { readTypedRows, typedFile, typedLine } from "./typed-rows.js";

it.each([
  ["12+7=19 👍", { question: "12+7=", answer: "19", isGood: true }],
  ["12+7=19👎🏽", { question: "12+7=", answer: "19", isGood: false }],
  ["  12+7= 19   Good", { question: "12+7=", answer: "19", isGood: true }],
  ["12+7=19\tno\r", { question: "12+7=", answer: "19", isGood: false }],
  ["12+7=19 👍\ufe0f", { question: "12+7=", answer: "19", isGood: true }],
])("%j is a row", (line, row) => expect(readTypedRows(line)).toEqual({ rows: [row], problems: [] }));

it.each(["12+7=", "12+7=19", "19 👍", "12+7=19 maybe", "what is 1+1? 2 👍", '{"prompt": "1"}', "👍"])("%j is none", (line) => {
  expect(readTypedRows(`\n${line}\n`)).toEqual({
    rows: [],
    problems: [expect.stringMatching(/^line 2: expected a question, an answer and a thumb/)],
  });
});

it("a row is its line again, and a line of the demo's data", async () => {
  const rows = [
    { question: "1+1=", answer: "2", isGood: true },
    { question: "2+2=", answer: "5", isGood: false },
  ];
  expect(readTypedRows(rows.map(typedLine).join("\n"))).toEqual({ rows, problems: [] });
  const [first] = (await typedFile(rows).text()).split("\n");
  expect(JSON.parse(first!)).toEqual({
    prompt: [{ role: "user", content: "1+1=" }],
    completion: [{ role: "assistant", content: "2" }],
    label: true,
  });
});
