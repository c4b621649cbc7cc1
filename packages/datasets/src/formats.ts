import type { DataRow, Dataset } from "./dataset.js";
import { layoutOfDataset } from "./layouts/index.js";
import { labelColumns } from "./labels.js";
import { trlTextColumns, type Layout, type RowShape } from "./layouts/layout.js";
import { isGiven } from "./rows.js";

/** What kind of rows a dataset holds. */
export interface RowFormat {
  /**
   * `unpaired`: prompt, completion, label · `paired`: prompt, chosen, rejected · `implicit-prompt`: chosen and rejected, each with the whole text ·
   * `prompt-completion`: without label · `tokenized`: prompt_ids, completion_ids and usually label ·
   * `tokenized-pairs`: prompt_ids, chosen_ids, rejected_ids · for supervised fine-tuning `messages`: whole
   * conversations, `text`: plain text, `input-ids`: input_ids and masks.
   */
  type: RowShape | "prompt-completion";
  /** Lists of messages rather than plain text, judged by the first row. */
  conversational: boolean;
  /** Name of the layout that the rows came in, one of {@link layouts}; that of the type where it is trl's own. */
  layout: string;
}

/** Shapes of rows that are no conversations, whatever else stands in them. */
const withoutMessages: ReadonlySet<RowShape> = new Set(["tokenized", "tokenized-pairs", "text", "input-ids"]);

/** True for rows of two answers to one prompt. */
export function isPaired(type: RowFormat["type"]): boolean {
  return type === "paired" || type === "implicit-prompt" || type === "tokenized-pairs";
}

/** True for rows of ids, which need no tokenizer. */
export function isTokenized(type: RowFormat["type"]): boolean {
  return type === "tokenized" || type === "tokenized-pairs" || type === "input-ids";
}

/** The format of a dataset from its columns and first row. Throws `RowError` with the columns found when it is none that preference training takes. */
export function detectFormat(dataset: Dataset<DataRow>): RowFormat {
  return formatOf(dataset, layoutOfDataset(dataset));
}

/** The format of a dataset whose layout is known. */
export function formatOf(dataset: Dataset<DataRow>, { name, shape, toTrl }: Layout): RowFormat {
  const first = dataset.length > 0 ? dataset.at(0) : {};
  return {
    type: shape === "unpaired" && !isLabelled(dataset) ? "prompt-completion" : shape,
    conversational: shape === "messages" || (!withoutMessages.has(shape) && isConversational(first, toTrl)),
    layout: name,
  };
}

/** True if any row has a column for labels. */
export function isLabelled(dataset: Dataset<DataRow>): boolean {
  return labelColumns.some((column) => dataset.columnNames.includes(column));
}

/** True for a row whose first text is a list; a row that cannot be read is judged by what stands in it. */
function isConversational(row: DataRow, toTrl: Layout["toTrl"]): boolean {
  let read = row;
  try {
    read = toTrl?.(row, 0) ?? row;
  } catch {
    // its mistake is told when it is read
  }
  const column = trlTextColumns.find((name) => isGiven(read[name]));
  return column !== undefined && typeof read[column] === "object";
}
