import type { DataNotes } from "../data-notes.js";
import type { DataRow } from "../dataset.js";
import { labelColumns } from "../labels.js";
import { templateColumns, trlTextColumns, type Layout } from "./layout.js";
import { isFromValue, isTurn, messagesOf } from "./turns.js";

// trl's own layouts: texts, or lists of messages. Turns of `from` and `value`, and a single turn where a list belongs, are made messages.

export const tokenized: Layout = {
  name: "tokenized",
  title: "token ids",
  columns: "`prompt_ids`, `completion_ids`, `label`",
  becomes: "as it is; needs no tokenizer",
  reads: ["prompt_ids", "completion_ids", ...labelColumns],
  shape: "tokenized",
  needs: [["prompt_ids"], ["completion_ids"]],
};

export const paired: Layout = {
  name: "paired",
  title: "pairs",
  columns: "`prompt`, `chosen`, `rejected`",
  becomes: "a desirable row with `chosen`, an undesirable one with `rejected`",
  reads: ["prompt", "chosen", "rejected", ...templateColumns],
  shape: "paired",
  needs: [["prompt"], ["chosen"], ["rejected"]],
  toTrl: withMessages,
};

export const implicitPrompt: Layout = {
  name: "implicit-prompt",
  title: "pairs without a prompt",
  columns: "`chosen`, `rejected`",
  becomes: "the beginning that both share is the prompt",
  reads: ["chosen", "rejected", ...templateColumns],
  shape: "implicit-prompt",
  needs: [["chosen"], ["rejected"]],
  toTrl: withMessages,
};

export const unpaired: Layout = {
  name: "unpaired",
  title: "labelled completions",
  columns: "`prompt`, `completion`, `label`",
  becomes: "as it is",
  reads: ["prompt", "completion", ...labelColumns, ...templateColumns],
  shape: "unpaired",
  needs: [["prompt"], ["completion"]],
  toTrl: withMessages,
};

export const tokenizedPairs: Layout = {
  name: "tokenized-pairs",
  title: "pairs of token ids",
  columns: "`prompt_ids`, `chosen_ids`, `rejected_ids`",
  becomes: "as it is; needs no tokenizer",
  reads: ["prompt_ids", "chosen_ids", "rejected_ids"],
  shape: "tokenized-pairs",
  needs: [["prompt_ids"], ["chosen_ids"], ["rejected_ids"]],
};

/** A row whose turns of `from` and `value`, and single turns, are lists of messages. */
function withMessages(row: DataRow, index: number, notes?: DataNotes): DataRow {
  const isOther = (value: unknown): boolean => isTurn(value) || (Array.isArray(value) && value.some(isFromValue));
  const columns = trlTextColumns.filter((column) => isOther(row[column]));
  if (columns.length === 0) return row;
  notes?.add("turns", "turns of from and value are read as messages of role and content, single ones as lists of one", index);
  return { ...row, ...Object.fromEntries(columns.map((column) => [column, messagesOf(row, column, index)])) };
}
