import { excerpt } from "@kto/core";
import type { DataRow } from "../dataset.js";
import { rowError } from "../errors.js";
import { columnOf, isGiven, type Message } from "../rows.js";
import { labelColumns } from "../labels.js";
import { templateColumns, trlRow, type Layout } from "./layout.js";
import { answerOf, hasWords, withSystem } from "./turns.js";

const instructionColumns = ["instruction", "query"];
const answerColumns = ["output", "response"];
const shared = ["instruction", "input", "query", "history", "system", ...templateColumns];

// Alpaca's layouts, as tools for fine-tuning read them: instruction and input are the user's turn, a line each.

export const instructionPairs: Layout = {
  name: "instruction-pairs",
  title: "alpaca rows with two answers",
  columns: "`instruction`, [`input`], `chosen`, `rejected`, [`history`], [`system`]; or `query` for `instruction`",
  becomes: "the turns of `history`, then instruction and input as the user's turn, are the prompt; the answers the assistant's turns",
  reads: [...shared, "chosen", "rejected"],
  shape: "paired",
  needs: [instructionColumns, ["chosen"], ["rejected"]],
  when: (row) => !isGiven(row["prompt"]) && !Array.isArray(row["chosen"]),
  toTrl: (row, index) =>
    trlRow(row, {
      prompt: promptOf(row, index),
      chosen: answerOf(row, "chosen", index),
      rejected: answerOf(row, "rejected", index),
    }),
};

export const instructionRejected: Layout = {
  name: "instruction-rejected",
  title: "alpaca rows with a rejected answer",
  columns: "`query` or `instruction`, `response` or `output`, `rejected_response`, [`history`], [`system`]",
  becomes: "as alpaca rows with two answers",
  reads: [...shared, "output", "response", "rejected_response"],
  shape: "paired",
  needs: [instructionColumns, answerColumns, ["rejected_response"]],
  when: (row) => !isGiven(row["prompt"]),
  toTrl: (row, index) =>
    trlRow(row, {
      prompt: promptOf(row, index),
      chosen: outputOf(row, index),
      rejected: answerOf(row, "rejected_response", index),
    }),
};

export const instructions: Layout = {
  name: "instructions",
  title: "alpaca rows",
  columns: "`instruction`, [`input`], `output`, `label` or `kto_tag`, [`history`], [`system`]; or `query` and `response`",
  becomes: "the turns of `history`, then instruction and input as the user's turn, are the prompt; the output is the assistant's turn",
  reads: [...shared, "output", "response", ...labelColumns],
  shape: "unpaired",
  needs: [instructionColumns, answerColumns],
  when: (row) => !isGiven(row["prompt"]),
  toTrl: (row, index) => trlRow(row, { prompt: promptOf(row, index), completion: outputOf(row, index) }),
};

function outputOf(row: DataRow, index: number): Message[] {
  const column = answerColumns.find((name) => isGiven(row[name]))!;
  return [{ role: "assistant", content: textIn(row, column, index) }];
}

function promptOf(row: DataRow, index: number): Message[] {
  const parts = ["instruction", "query", "input"].filter((column) => hasWords(row[column])).map((column) => textIn(row, column, index));
  return withSystem(row["system"], [...historyOf(row, index), { role: "user", content: parts.join("\n") }]);
}

/** The turns before: `[[what the user said, what the assistant said], …]`. */
function historyOf(row: DataRow, index: number): Message[] {
  const history = row["history"] ?? [];
  const isPairOfTexts = (turn: unknown): turn is [string, string] =>
    Array.isArray(turn) && turn.length === 2 && turn.every((text) => typeof text === "string");
  if (!Array.isArray(history) || !history.every(isPairOfTexts)) {
    throw rowError(index, {
      problem: '"history" is not a list of turns',
      expected: '[["what the user said", "what the assistant said"], …]',
      got: excerpt(history),
      column: "history",
    });
  }
  return history.flatMap(([asked, said]) => [
    { role: "user", content: asked },
    { role: "assistant", content: said },
  ]);
}

function textIn(row: DataRow, column: string, index: number): string {
  const value = columnOf(row, column, index);
  if (typeof value === "string") return value;
  throw rowError(index, { problem: `"${column}" is not text`, expected: "a string", got: excerpt(value), column });
}
