import { excerpt } from "@kto/core";
import { columnOf, idsOf, isGiven, rowError, textOf, type DataRow, type Message } from "@kto/datasets";
import { idsOfRow, scoredRow } from "./documents.js";
import { tokenizingWith, type Tokenizing } from "../data/row-job.js";
import type { ScoredRow } from "../data/rows.js";
import { noteTokens } from "../data/template-notes.js";
import { expectTokenizer, rendering, templateOptions, tokenizeRow, withEos, type TokenizeOptions } from "../data/tokenize-row.js";

/** What decides, besides the tokenizer, how a row becomes ids and which of them are scored. */
export interface TokenizeSftSettings extends Pick<TokenizeOptions, "chatTemplate"> {
  /** Scores the completion alone; null: where there is one. */
  completionOnlyLoss: boolean | null;
  /** Scores what the template marks as the assistant's. */
  assistantOnlyLoss: boolean;
}

type TokenizeSftOptions = TokenizeOptions & TokenizeSftSettings;

/** Rows of `SftRows` as ids. */
export function sftTokenizing(settings: TokenizeSftSettings): Tokenizing {
  return tokenizingWith("sft", tokenizeSftRow, settings);
}

/**
 * Ids of a row of `SftRows` for supervised fine-tuning, and which are scored, with trl 1.16's rules, before anything is cut.
 *
 * Conversations are rendered whole, without a generation prompt. Plain text gets EOS at its end unless it ends with it; both are encoded with special tokens.
 * Prompt and completion are told apart as for KTO and DPO. A token is scored where every mask that applies says so. Throws `RowError`, `EmptyRowError` and
 * `DataPreparationError` (no tokenizer).
 *
 * @see trl 1.16, SFTTrainer
 */
export function tokenizeSftRow(row: DataRow, index: number, options: TokenizeSftOptions): ScoredRow {
  if ("input_ids" in row) return readIds(row, index, options);
  if (!("text" in row) && !("messages" in row)) return completionRow(row, index, options);
  const tokenizer = expectTokenizer(options);
  const { notes, chatTemplate, assistantOnlyLoss } = options;
  if ("text" in row) {
    if (assistantOnlyLoss) throw noConversation(index);
    const ids = tokenizer.encode(withEos(row["text"] as string, tokenizer.eosToken), { addSpecialTokens: true });
    if (notes) noteTokens(notes, { index, tokenizer, shorter: [], longer: ids, boundary: 0 });
    return { promptIds: [], completionIds: ids };
  }
  const messages = row["messages"] as Message[];
  const ofTemplate = templateOptions(row, index, chatTemplate);
  const { ids, mask } = assistantOnlyLoss
    ? maskedIds(row, messages, index, options)
    : {
        ids: rendering(index, messages, () =>
          tokenizer.applyChatTemplate(messages, { tokenize: true, ...ofTemplate, addGenerationPrompt: false }),
        ),
        mask: undefined,
      };
  if (notes) {
    const conversation = { prompt: [], completion: messages, options: ofTemplate };
    noteTokens(notes, { index, tokenizer, shorter: [], longer: ids, boundary: 0, conversation });
  }
  return scoredRow(ids, (position) => mask?.[position] !== 0);
}

/** A prompt and its completion, of which the prompt may be scored too. */
function completionRow(row: DataRow, index: number, options: TokenizeSftOptions): ScoredRow {
  const split = tokenizeRow(row, index, options);
  const isScored = (position: number): boolean => options.completionOnlyLoss === false || position >= split.promptIds.length;
  if (!options.assistantOnlyLoss) return scoredRow(idsOfRow(split), isScored);
  const [prompt, completion] = [textOf(row, "prompt", index), textOf(row, "completion", index)];
  if (typeof prompt === "string" || typeof completion === "string") throw noConversation(index);
  const { ids, mask } = maskedIds(row, [...prompt, ...completion], index, options);
  return scoredRow(ids, (position) => isScored(position) && mask[position] === 1);
}

/** Ids of a conversation, and which of them the template marks. */
function maskedIds(row: DataRow, messages: Message[], index: number, options: TokenizeSftOptions): { ids: number[]; mask: number[] } {
  const tokenizer = expectTokenizer(options);
  const { ids, assistantMask } = rendering(index, messages, () =>
    tokenizer.applyChatTemplateWithMask!(messages, { ...templateOptions(row, index, options.chatTemplate), addGenerationPrompt: false }),
  );
  if (assistantMask.includes(1)) return { ids, mask: assistantMask };
  throw rowError(index, {
    problem: "the marks of the chat template ({% generation %}) cover none of its tokens",
    expected: "at least one turn of the assistant inside them",
    got: `${ids.length} tokens, none of them marked, of the roles ${excerpt(messages.map(({ role }) => role))}`,
    advice: `remove row ${index} (counted from 0), or mend the template`,
  });
}

function noConversation(index: number): Error {
  return rowError(index, {
    problem: "it is no conversation, and only what the assistant says is to be scored",
    expected: "messages",
    got: "text",
    advice: "keep texts in a file of their own, or leave assistant_only_loss out",
  });
}

const masks = ["completion_mask", "assistant_masks"] as const;

/** A row of `input_ids`. Its `labels`, or else its masks, say what is scored; `completion_mask` only where the completion alone is scored. */
function readIds(row: DataRow, index: number, { completionOnlyLoss }: TokenizeSftOptions): ScoredRow {
  const ids = idsOf(row, "input_ids", index);
  if (isGiven(row["labels"])) return scoredRow(ids, scoredByLabels(row, ids, index));
  const applied = masks.filter((column) => isGiven(row[column]) && (column === "assistant_masks" || completionOnlyLoss !== false));
  const bits = applied.map((column) => bitsOf(row, column, ids.length, index));
  return scoredRow(ids, (position) => bits.every((mask) => mask[position] === 1));
}

function bitsOf(row: DataRow, column: string, length: number, index: number): number[] {
  const bits = idsOf(row, column, index);
  if (bits.length === length && bits.every((bit) => bit <= 1)) return bits;
  throw rowError(index, {
    problem: `"${column}" is no mask of "input_ids"`,
    expected: `${length} numbers, each 0 or 1`,
    got: bits.length === length ? excerpt(bits) : `${bits.length} numbers`,
    column,
  });
}

/** A label is the token itself, or -100 where it is not scored. */
function scoredByLabels(row: DataRow, ids: readonly number[], index: number): (position: number) => boolean {
  const given = columnOf(row, "labels", index);
  const labels = Array.isArray(given) || ArrayBuffer.isView(given) ? Array.from(given as ArrayLike<number>, Number) : [];
  const wrong = labels.findIndex((label, position) => label !== -100 && label !== ids[position]);
  if (labels.length === ids.length && wrong === -1) return (position) => labels[position] !== -100;
  throw rowError(index, {
    problem: '"labels" are not those of "input_ids"',
    expected: `${ids.length} numbers, each the id at its place or -100`,
    got: labels.length === ids.length ? `${labels[wrong]} at place ${wrong}, where the id is ${ids[wrong]}` : `${labels.length} of them`,
    column: "labels",
  });
}
