import { boolean, field, names, orNull, text, type Field, type Values } from "@kto/core/config";

/** Fields of how rows are read, the same in every command that reads rows. */
export const rowFields = {
  promptColumn: column("prompt", "the prompts"),
  completionColumn: column("completion", "the completions"),
  labelColumn: column("label", "the labels"),
  chosenColumn: column("chosen", "the better answers"),
  rejectedColumn: column("rejected", "the worse answers"),
  messagesColumn: column("messages", "whole conversations"),
  removeColumns: field(orNull(names("a list of columns")), null, {
    group: "data",
    fate: "ours",
    help: "columns that are left out before the layout of the rows is told",
  }),
  strict: field(boolean(), false, {
    group: "data",
    fate: "ours",
    help: "refuses data of which rows would be dropped, and lists them",
  }),
};

/** The column that each of the fields renames to. */
export const columnTargets = {
  promptColumn: "prompt",
  completionColumn: "completion",
  labelColumn: "label",
  chosenColumn: "chosen",
  rejectedColumn: "rejected",
  messagesColumn: "messages",
} as const;

/** Values of the fields of how rows are read. */
export type RowValues = Values<typeof rowFields>;

function column(name: string, what: string): Field<string | null> {
  return field(orNull(text()), null, { group: "data", fate: "ours", help: `the column of ${what}, where it is not called \`${name}\`` });
}
