import type { DataNotes } from "../data-notes.js";
import type { DataRow } from "../dataset.js";

/**
 * What rows become: `prompt, completion, label` · `prompt, chosen, rejected` · `chosen, rejected` with the prompt in both · ids of prompt and completion, or
 * of prompt and two answers · and for supervised fine-tuning `messages` · `text` · `input_ids`.
 */
export type RowShape = "unpaired" | "paired" | "implicit-prompt" | "tokenized" | "tokenized-pairs" | "messages" | "text" | "input-ids";

/** The layouts that rows may be of, and what to say of rows of another. A row is of the first that it has the columns of. */
export interface LayoutChoice {
  readonly layouts: readonly Layout[];
  /** For the error: what is expected, and what to do. */
  readonly expected: string;
  readonly advice: string;
}

/** A way in which people lay out data in columns, and what it becomes. */
export interface Layout {
  /** Short and stable, for programs. */
  readonly name: string;
  /** What it is called in messages. */
  readonly title: string;
  /** Its columns, for messages and docs; `[x]` may be absent. */
  readonly columns: string;
  /** What it becomes, in one clause. */
  readonly becomes: string;
  /** Columns that it reads, where they are there. */
  readonly reads: readonly string[];
  readonly shape: RowShape;
  /** Columns that a row of it has, one of each group. A column that is null is absent. */
  readonly needs: readonly (readonly string[])[];
  /** What else must hold of a row that has them. */
  when?(row: DataRow): boolean;
  /** The row as trl takes it, without its label; absent where it is so already. Throws `RowError` for values that are not what the layout says. */
  toTrl?(row: DataRow, index: number, notes?: DataNotes): DataRow;
}

/** Columns of trl's own layouts that hold texts or messages. */
export const trlTextColumns: readonly string[] = ["prompt", "completion", "chosen", "rejected"];

/** Columns that hold text in some layout: text whatever a cell of a table looks like. */
export const textColumns: readonly string[] = [
  ...trlTextColumns,
  "text",
  "instruction",
  "input",
  "query",
  "output",
  "response",
  "rejected_response",
  "system",
];

/** Columns that a template is given. */
export const templateColumns: readonly string[] = ["tools", "chat_template_kwargs"];

/** A row of these columns, with what every layout hands on to templates. */
export function trlRow(row: DataRow, columns: DataRow): DataRow {
  const handedOn = templateColumns.filter((column) => column in row).map((column) => [column, row[column]]);
  return { ...Object.fromEntries(handedOn), ...columns };
}
