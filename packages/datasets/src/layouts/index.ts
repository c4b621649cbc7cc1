import { excerpt } from "@kto/core";
import type { DataRow, Dataset } from "../dataset.js";
import { RowError, rowError } from "../errors.js";
import { columnOf, isGiven } from "../rows.js";
import { conversationPairs, conversations, rejectedMessages, rejectedResponse } from "./conversation-layouts.js";
import { instructionPairs, instructionRejected, instructions } from "./instruction-layouts.js";
import type { Layout, LayoutChoice } from "./layout.js";
import { openaiLayout } from "./openai-layout.js";
import { implicitPrompt, paired, tokenized, tokenizedPairs, unpaired } from "./trl-layouts.js";

/** Every layout that is read. A row is of the first that it has the columns of. */
export const layouts: readonly Layout[] = [
  tokenized,
  tokenizedPairs,
  conversationPairs,
  instructionPairs,
  paired,
  implicitPrompt,
  openaiLayout,
  unpaired,
  rejectedResponse,
  rejectedMessages,
  conversations,
  instructionRejected,
  instructions,
];

/** What preference training reads. */
const preferenceLayouts: LayoutChoice = {
  layouts,
  expected:
    "prompt, completion and label; or prompt, chosen and rejected; or chosen and rejected; or conversations (messages) and label; or instruction, output and label; or prompt_ids, completion_ids and label; or prompt_ids, chosen_ids and rejected_ids",
  advice:
    "say which column is which (--prompt_column, --completion_column, --label_column, --chosen_column, --rejected_column, --messages_column; renameColumns in code)",
};

/** Columns of questions: beside texts `chosen` and `rejected` they are the prompt, and taking what both begin with for it would be wrong. */
const questionColumns = ["question", "query", "instruction", "input", "problem", "user"];

/** Columns of what is no text. */
const mediaColumns = ["image", "images", "video", "videos", "audio", "audios"];

/** The layout of a dataset: that of its first row, or of what its rows have together; undefined where it is none. */
export function findLayout(dataset: Dataset<DataRow>, among: LayoutChoice = preferenceLayouts): Layout | undefined {
  return dataset.length === 0 ? undefined : (layoutOfRow(dataset.at(0), among) ?? layoutOfRow(allColumns(dataset), among));
}

/**
 * The layout of a dataset: that of its first row, or of what its rows have together. Throws `RowError`, which lists the columns, where it is none.
 *
 * @param among  what rows are read for; default preference training
 * @param name  what the dataset is called in the error, where it is one of several
 */
export function layoutOfDataset(dataset: Dataset<DataRow>, among: LayoutChoice = preferenceLayouts, name = "data"): Layout {
  const layout = findLayout(dataset, among);
  if (layout === undefined) {
    const { expected, advice } = among;
    const got = `the columns ${excerpt(dataset.columnNames, 200)}`;
    throw new RowError({ operation: name, problem: "the rows are of no layout that is read", expected, got, advice }, { row: 0 });
  }
  if (layout === implicitPrompt) expectNoQuestion(dataset.at(0), name);
  return layout;
}

/** Throws `RowError` for a row that is not of the layout of its dataset: another's, one that lacks a column, or one with more than text. */
export function expectLayout(row: DataRow, index: number, layout: Layout, among: LayoutChoice = preferenceLayouts): void {
  const own = layoutOfRow(row, among);
  if (own !== layout) {
    const needed = new Set(layout.needs.flat());
    const missing = layout.needs.find((group) => !hasOneOf(row, group));
    if (missing !== undefined && (own === undefined || own.needs.flat().every((column) => needed.has(column)))) {
      columnOf(row, missing.find((column) => column in row) ?? missing[0]!, index);
    }
    throw rowError(index, {
      problem: "it is of another layout than the rows before",
      expected: `${layout.title} (${plain(layout.columns)})`,
      got: own === undefined ? `the columns ${excerpt(Object.keys(row))}` : `${own.title} (${plain(own.columns)})`,
      advice: "keep each layout in a file of its own",
    });
  }
  const media = mediaColumns.find((column) => isGiven(row[column]) && !(Array.isArray(row[column]) && row[column].length === 0));
  if (media === undefined) return;
  throw rowError(index, {
    problem: `"${media}" holds more than text`,
    expected: "rows of text",
    got: excerpt(row[media]),
    advice: `remove the column to train on the text alone (--remove_columns ${media}; removeColumns in code)`,
    column: media,
  });
}

/** Names of columns without the marks of Markdown. */
export function plain(columns: string): string {
  return columns.replaceAll("`", "");
}

function layoutOfRow(row: DataRow, among: LayoutChoice): Layout | undefined {
  return among.layouts.find(({ needs, when }) => needs.every((group) => hasOneOf(row, group)) && (when?.(row) ?? true));
}

function hasOneOf(row: DataRow, columns: readonly string[]): boolean {
  return columns.some((column) => isGiven(row[column]));
}

/** For each column, the first value that is given. */
function allColumns(dataset: Dataset<DataRow>): DataRow {
  const all: DataRow = {};
  for (const row of dataset) for (const [column, value] of Object.entries(row)) if (isGiven(value)) all[column] ??= value;
  return all;
}

function expectNoQuestion(row: DataRow, operation: string): void {
  const { chosen } = row;
  if (typeof chosen !== "string") return;
  const column = questionColumns.find((name) => {
    const question = row[name];
    return typeof question === "string" && question.trim() !== "" && !chosen.includes(question.trim());
  });
  if (column === undefined) return;
  throw new RowError(
    {
      operation,
      problem: `there is no column "prompt", and chosen and rejected do not hold the text of "${column}"`,
      expected: "prompt, chosen and rejected, or texts that begin with the prompt",
      got: `the columns ${excerpt(Object.keys(row), 200)}`,
      advice: `say that it is the prompt (--prompt_column ${column}), or that it is not used (--remove_columns ${column})`,
    },
    { row: 0, column },
  );
}
