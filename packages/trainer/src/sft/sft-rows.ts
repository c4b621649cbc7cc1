import { excerpt } from "@kto/core";
import {
  columnOf,
  expectLayout,
  isLabelled,
  isPaired,
  rowError,
  supervisedLayouts,
  type DataNotes,
  type DataRow,
  type Dataset,
  type Layout,
  type Message,
  type RowFormat,
} from "@kto/datasets";
import { layoutParts, type DataFormat, type LayoutPart } from "../data/layout-parts.js";
import { bothKinds, expectOneKind, withPrompt } from "../data/preference-rows.js";
import { pickColumns } from "../data/row-job.js";
import { EmptyRowError } from "../data/rows.js";
import { tokenizedColumns } from "../data/tokenize-row.js";

const idColumns = ["input_ids", "labels", "completion_mask", "assistant_masks"];
const messageColumns = ["messages", "tools", "chat_template_kwargs"];

/** Rows of a dataset as supervised fine-tuning reads them. Each is made and checked when it is read. */
export interface SftRows {
  format: DataFormat;
  parts: readonly LayoutPart[];
  length: number;
  /** Columns of the data that are not read. */
  unreadColumns: string[];
  /**
   * What is tokenised of a row: `input_ids` with masks; or `text`; or whole `messages`; or `prompt` and `completion`, or `prompt_ids` and `completion_ids`.
   * Throws `RowError`, and `EmptyRowError` for a row that is dropped.
   */
  at(index: number): DataRow;
}

/** Tells what the rows of a dataset are. Throws `RowError` for columns that are none of those. What is worth knowing is noted. */
export function toSftRows(dataset: Dataset<DataRow>, textField: string, notes: DataNotes): SftRows {
  const among = supervisedLayouts(textField);
  const { parts, partOf, format, unreadColumns } = layoutParts(dataset, notes, among);
  for (const { layout, dataset: rows } of parts)
    if (isPaired(layout.shape)) notes.add("chosen answers", "of two answers the chosen one is trained on, the rejected one is not read");
    else if (isLabelled(rows)) notes.add("labels", "the column of labels is not read: every completion is trained on, as in trl");
  return {
    format,
    parts,
    length: dataset.length,
    unreadColumns,
    at(index) {
      const row = dataset.at(index);
      const { layout, format: ofPart } = partOf(index);
      expectLayout(row, index, layout, among);
      return sourceOf(row, index, layout, { format: ofPart, textField, notes });
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
