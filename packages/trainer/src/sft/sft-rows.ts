import { excerpt } from "@kto/core";
import {
  columnOf,
  expectLayout,
  formatOf,
  isLabelled,
  isPaired,
  layoutOfDataset,
  rowError,
  supervisedLayouts,
  type DataNotes,
  type DataRow,
  type Dataset,
  type Layout,
  type Message,
  type RowFormat,
} from "@kto/datasets";
import { bothKinds, expectOneKind, noteLayout, withPrompt } from "../data/preference-rows.js";
import { pickColumns } from "../data/row-job.js";
import { EmptyRowError } from "../data/rows.js";
import { tokenizedColumns } from "../data/tokenize-row.js";

const idColumns = ["input_ids", "labels", "completion_mask", "assistant_masks"];
const messageColumns = ["messages", "tools", "chat_template_kwargs"];

/** Rows of a dataset as supervised fine-tuning reads them. Each is made and checked when it is read. */
export interface SftRows {
  format: RowFormat;
  length: number;
  /** Columns of the data that are not read. */
  unreadColumns: string[];
  /** Rows of ids that say where the completion is. */
  hasCompletionMask: boolean;
  /**
   * What is tokenised of a row: `input_ids` with masks; or `text`; or whole `messages`; or `prompt` and `completion`, or `prompt_ids` and `completion_ids`.
   * Throws `RowError`, and `EmptyRowError` for a row that is dropped.
   */
  at(index: number): DataRow;
}

/** Tells what the rows of a dataset are. Throws `RowError` for columns that are none of those. What is worth knowing is noted. */
export function toSftRows(dataset: Dataset<DataRow>, textField: string, notes: DataNotes): SftRows {
  const among = supervisedLayouts(textField);
  const layout = layoutOfDataset(dataset, among);
  const format = formatOf(dataset, layout);
  noteLayout(dataset, layout, format, notes);
  const isPairs = isPaired(layout.shape);
  if (isPairs) notes.add("chosen answers", "of two answers the chosen one is trained on, the rejected one is not read");
  else if (isLabelled(dataset)) notes.add("labels", "the column of labels is not read: every completion is trained on, as in trl");
  return {
    format,
    length: dataset.length,
    unreadColumns: dataset.columnNames.filter((column) => !layout.reads.includes(column)),
    hasCompletionMask: layout.shape === "input-ids" && ["completion_mask", "labels"].some((column) => dataset.columnNames.includes(column)),
    at(index) {
      const row = dataset.at(index);
      expectLayout(row, index, layout, among);
      return sourceOf(row, index, layout, { format, textField, notes });
    },
  };
}

function sourceOf(
  row: DataRow,
  index: number,
  { shape, toTrl }: Layout,
  { format, textField, notes }: { format: RowFormat; textField: string; notes: DataNotes },
): DataRow {
  if (shape === "input-ids") return pickColumns(row, idColumns);
  if (shape === "tokenized") return pickColumns(row, tokenizedColumns);
  if (shape === "tokenized-pairs") return { prompt_ids: row["prompt_ids"], completion_ids: row["chosen_ids"] };
  if (shape === "text") return { text: textIn(row, textField, index) };
  const read = toTrl?.(row, index, notes) ?? row;
  if (shape === "messages") {
    if ((read["messages"] as Message[]).length === 0) throw new EmptyRowError(index, "no messages");
    return pickColumns(read, messageColumns);
  }
  const { chosen, rejected: _rejected, ...rest } = shape === "implicit-prompt" ? withPrompt(read, index) : read;
  const isPairs = isPaired(shape);
  const text = isPairs ? { ...rest, completion: chosen } : read;
  expectOneKind(text, index, format, isPairs ? "chosen" : "completion");
  if ((typeof text["prompt"] === "string") === format.conversational) notes.add("texts and conversations", bothKinds, index);
  return pickColumns(text, tokenizedColumns);
}

function textIn(row: DataRow, column: string, index: number): string {
  const text = columnOf(row, column, index);
  if (typeof text === "string") return text;
  throw rowError(index, { problem: `"${column}" is not text`, expected: "a string", got: excerpt(text), column });
}
