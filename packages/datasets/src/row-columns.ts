/** Names of columns that training reads: what tells rows, and the header of a table, from other things. */
export const ROW_COLUMNS: ReadonlySet<string> = new Set([
  "prompt",
  "completion",
  "label",
  "chosen",
  "rejected",
  "messages",
  "conversations",
  "instruction",
  "prompt_ids",
  "completion_ids",
]);
