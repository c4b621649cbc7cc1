import {
  type DataNotes,
  type DataRow,
  type Dataset,
  expectLayout,
  extractPrompt,
  idsOf,
  isLabelled,
  isPaired,
  labelOf,
  type Message,
  rowError,
  type RowFormat,
  textOf,
} from "@kto/datasets";
import { layoutParts, type DataFormat, type LayoutPart } from "./layout-parts.js";
import { rowPlaces, type RowPlaces } from "./row-places.js";
import { EmptyRowError } from "./rows.js";

/** Rows `prompt, completion` or `prompt_ids, completion_ids` with their labels, whatever layout they came in. Each is made and checked when it is read. */
export interface PreferenceRows {
  format: DataFormat;
  /** How many there are: twice the pairs. */
  length: number;
  /** Of each part of the data, whether its rows each give a desirable and an undesirable one. */
  pairs: boolean[];
  /** Where each comes from. */
  places: RowPlaces;
  /** The first part without a column of labels. */
  unlabelled: LayoutPart | undefined;
  /** Columns of the data that are not read. */
  unreadColumns: string[];
  /** The columns that are tokenised, of the types they must have. Throws `RowError`, and `EmptyRowError` for a row that is dropped. */
  textAt(index: number): DataRow;
  /** The label; undefined where the data has none. Throws `RowError`. */
  labelAt(index: number): boolean | undefined;
}

/**
 * trl's first two steps, for every layout that is read: the shared prompt is taken out of pairs without one, then pairs are unpaired.
 * Throws `RowError` for columns that are no preference data. What is worth knowing is noted.
 */
export function toPreferenceRows(dataset: Dataset<DataRow>, notes: DataNotes): PreferenceRows {
  const { parts, partOf, format, unreadColumns } = layoutParts(dataset, notes);
  const pairs = parts.map(({ layout }) => isPaired(layout.shape));
  const places = rowPlaces(dataset, pairs);
  const unlabelled = parts.find((part, index) => !pairs[index] && !isLabelled(part.dataset));
  const rowAt = rowReader(dataset);
  return {
    format,
    pairs,
    places,
    length: places.length,
    unlabelled,
    unreadColumns,
    textAt(index) {
      const { row: source, label } = places.at(index);
      const row = rowAt(source);
      const { layout, format: ofPart } = partOf(source);
      expectLayout(row, source, layout);
      const read = layout.toTrl?.(row, source, notes) ?? row;
      if (layout.shape === "tokenized") return read;
      if (layout.shape === "tokenized-pairs")
        return { prompt_ids: read["prompt_ids"], completion_ids: idsOf(read, label ? "chosen_ids" : "rejected_ids", source) };
      const { chosen, rejected, ...rest } = layout.shape === "implicit-prompt" ? withPrompt(read, source) : read;
      const text = label === undefined ? read : { ...rest, completion: label ? chosen : rejected };
      expectOneKind(text, source, ofPart, label === undefined ? "completion" : label ? "chosen" : "rejected");
      if ((typeof text["prompt"] === "string") === ofPart.conversational) notes.add("texts and conversations", bothKinds, source);
      return text;
    },
    labelAt(index) {
      const { row, label } = places.at(index);
      return label ?? (unlabelled ? undefined : labelOf(rowAt(row), row, notes));
    },
  };
}

/** Reads rows, and the same row twice only once: label and text are asked for one after the other. */
function rowReader(dataset: Dataset<DataRow>): (index: number) => DataRow {
  let last: { index: number; row: DataRow } | undefined;
  return (index) => {
    if (last?.index !== index) last = { index, row: dataset.at(index) };
    return last.row;
  };
}

/** A pair with the prompt that its sides share. Throws `EmptyRowError` where there is none, and trl fails. */
export function withPrompt(row: DataRow, index: number): DataRow {
  const isEmpty = (column: string): boolean => textOf(row, column, index).length === 0;
  if (isEmpty("chosen") || isEmpty("rejected")) throw new EmptyRowError(index, "nothing shared");
  const pair = extractPrompt(row, index);
  if (typeof pair.prompt !== "string" && pair.prompt.length === 0) throw new EmptyRowError(index, "nothing shared");
  return pair;
}

/** The note of data that has both kinds of rows. */
export const bothKinds =
  "some rows are texts and some are conversations: each is read as what it is, and texts go without the chat template, as in trl";

/** Throws unless prompt and completion are both text or both conversations; and for a conversation without a message. */
export function expectOneKind(row: DataRow, index: number, { conversational }: RowFormat, answer: string): void {
  const prompt = textOf(row, "prompt", index);
  const completion = textOf({ [answer]: row["completion"] }, answer, index);
  const isMixed = (typeof prompt === "string") !== (typeof completion === "string");
  // An empty text is trained on, but not where the rows are conversations.
  if (prompt.length === 0 && (typeof prompt !== "string" || isMixed || conversational)) throw new EmptyRowError(index, "no prompt");
  if (completion.length === 0 && (typeof completion !== "string" || isMixed)) throw new EmptyRowError(index, "no completion");
  if (isMixed) throw notOneKind(row, index, answer);
}

function notOneKind({ prompt, completion }: DataRow, index: number, answer: string): Error {
  const isPair = answer !== "completion";
  const answers = isPair ? "chosen and rejected" : "completion";
  const [first] = Array.isArray(completion) ? (completion as Partial<Message>[]) : [];
  const isWhole = first !== undefined && first.role !== "assistant";
  const advice = isWhole
    ? `${isPair ? `${answers} hold` : `the ${answers} holds`} the whole conversation, prompt included: ${isPair ? "leave the column prompt out (--remove_columns prompt; removeColumns in code)" : "split it, or name it with --messages_column"}`
    : typeof prompt === "string"
      ? 'write the prompt as [{"role": "user", "content": …}]'
      : `write ${answers} as [{"role": "assistant", "content": …}]`;
  return rowError(index, {
    problem: `prompt is of another kind than ${answers}`,
    expected: "texts, or conversations",
    got:
      typeof prompt === "string" ? `a text as prompt, and conversations as ${answers}` : `a conversation as prompt, and text as ${answers}`,
    advice,
    column: isPair ? "prompt" : "completion",
  });
}

/** Notes a template that no row is rendered with. */
export function noteUnusedTemplate(chatTemplate: string | undefined, { conversational }: RowFormat, notes: DataNotes): void {
  if (chatTemplate !== undefined && !conversational)
    notes.add("unused template", "the chat template that is given has no effect: the rows are not conversations");
}
