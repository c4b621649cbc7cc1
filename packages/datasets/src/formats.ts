import type { DataRow, Dataset } from "./dataset.js";
import { RowError } from "./errors.js";
import { isConversation } from "./rows.js";

/** What kind of rows a dataset holds. */
export interface RowFormat {
  /**
   * `unpaired`: prompt, completion, label · `paired`: prompt, chosen, rejected · `implicit-prompt`: chosen and rejected, each with the whole text ·
   * `prompt-completion`: without label · `tokenized`: prompt_ids, completion_ids and usually label.
   */
  type: "unpaired" | "paired" | "implicit-prompt" | "prompt-completion" | "tokenized";
  /** Lists of messages rather than plain text, judged by the first row. */
  conversational: boolean;
}

const TEXT_COLUMNS = ["prompt", "completion", "chosen", "rejected"];

/** The format of a dataset from its columns and first row. Throws `RowError` with the columns found when it is none that preference training takes. */
export function detectFormat(dataset: Dataset<DataRow>): RowFormat {
  const has = (...columns: string[]): boolean => columns.every((column) => dataset.columnNames.includes(column));
  const first = dataset.length > 0 ? dataset.at(0) : {};
  const conversational = isConversation(first[TEXT_COLUMNS.find((column) => first[column] !== undefined && first[column] !== null) ?? ""]);
  if (has("prompt_ids", "completion_ids")) return { type: "tokenized", conversational: false };
  if (has("chosen", "rejected")) return { type: (first["prompt"] ?? null) === null ? "implicit-prompt" : "paired", conversational };
  if (has("prompt", "completion")) return { type: has("label") ? "unpaired" : "prompt-completion", conversational };
  throw new RowError(
    `detectFormat: a column is missing in row 0; expected prompt, completion and label, or prompt, chosen and rejected, or chosen and rejected, or prompt_ids, completion_ids and label, got ${JSON.stringify(dataset.columnNames)}; rename the columns`,
    { row: 0 },
  );
}
