import { commonPrefixLength, excerpt, parseJson } from "@kto/core";
import {
  columnOf,
  idsOf,
  isSilent,
  rowError,
  textOf,
  type DataNotes,
  type DataRow,
  type Message,
  type TextOrMessages,
} from "@kto/datasets";

import { DataPreparationError } from "./errors.js";
import { EmptyRowError, type ScoredRow } from "./rows.js";
import { noteTokens } from "./template-notes.js";
import type { Tokenizer } from "./tokenizer.js";

/** How rows become ids. */
export interface TokenizeOptions {
  /** Needed unless the rows are already tokenised. */
  tokenizer?: Tokenizer | undefined;
  /** Jinja text used in place of the model's own template. */
  chatTemplate?: string | undefined;
  /** Is told what is worth knowing of how rows are read. */
  notes?: DataNotes | undefined;
}

/** The columns that {@link tokenizeRow} reads. */
export const tokenizedColumns: readonly string[] = [
  "prompt",
  "completion",
  "tools",
  "chat_template_kwargs",
  "prompt_ids",
  "completion_ids",
];

/**
 * Ids of a row `prompt, completion` or `prompt_ids, completion_ids`, with trl 1.16's rules, before anything is cut.
 *
 * Standard rows: the EOS text is appended to a completion that does not end with it; prompt and prompt + completion are encoded with special tokens.
 * Conversations: the prompt is rendered with the generation prompt, prompt + completion without. In both the completion starts where the two lists of
 * ids first differ; it may have no token. An empty text is trained on as any other. Throws `RowError` (column missing or of the wrong type, a template that
 * refuses the row), `EmptyRowError` (a conversation without a message) and `DataPreparationError` (no tokenizer).
 *
 * @see trl 1.16, KTOTrainer
 */
export function tokenizeRow(row: DataRow, index: number, options: TokenizeOptions): ScoredRow {
  if (row["prompt_ids"] !== undefined && row["completion_ids"] !== undefined) {
    return { promptIds: idsOf(row, "prompt_ids", index), completionIds: idsOf(row, "completion_ids", index) };
  }
  const prompt = textOf(row, "prompt", index);
  const completion = textOf(row, "completion", index);
  const tokenizer = expectTokenizer(options);
  const [shorter, longer] = encodeBoth(row, index, prompt, completion, tokenizer, options.chatTemplate);
  const boundary = commonPrefixLength(shorter, longer);
  if (options.notes) {
    const isConversation = typeof prompt !== "string" && typeof completion !== "string";
    const conversation = isConversation && { prompt, completion, options: templateOptions(row, index, options.chatTemplate) };
    noteTokens(options.notes, { index, tokenizer, shorter, longer, boundary, ...(conversation && { conversation }) });
  }
  return { promptIds: longer.slice(0, boundary), completionIds: longer.slice(boundary) };
}

/**
 * Ids of a row's `prompt` as a model is asked with it, or its `prompt_ids`: text with special tokens, a conversation with the generation prompt. Throws as
 * {@link tokenizeRow}.
 */
export function tokenizePrompt(row: DataRow, index: number, options: TokenizeOptions): number[] {
  if (row["prompt_ids"] !== undefined && row["prompt_ids"] !== null) return idsOf(row, "prompt_ids", index);
  const prompt = textOf(row, "prompt", index);
  const tokenizer = expectTokenizer(options);
  if (typeof prompt === "string") return tokenizer.encode(prompt, { addSpecialTokens: true });
  if (prompt.length === 0) throw new EmptyRowError(index, "no prompt");
  return rendering(index, prompt, () =>
    tokenizer.applyChatTemplate(prompt, {
      tokenize: true,
      ...templateOptions(row, index, options.chatTemplate),
      addGenerationPrompt: true,
    }),
  );
}

/** The tokenizer. Throws DataPreparationError where there is none. */
export function expectTokenizer({ tokenizer }: TokenizeOptions): Tokenizer {
  if (tokenizer) return tokenizer;
  throw new DataPreparationError(
    "tokenizeRow: the rows are text and there is no tokenizer; expected a tokenizer (tokenizer.json beside the model), got none; add it, or give rows with prompt_ids and completion_ids",
  );
}

/** Ids of the prompt and of prompt + completion. */
function encodeBoth(
  row: DataRow,
  index: number,
  prompt: TextOrMessages,
  completion: TextOrMessages,
  tokenizer: Tokenizer,
  chatTemplate: string | undefined,
): [number[], number[]] {
  if (typeof prompt === "string" && typeof completion === "string") {
    const text = prompt + withEos(completion, tokenizer.eosToken);
    return [tokenizer.encode(prompt, { addSpecialTokens: true }), tokenizer.encode(text, { addSpecialTokens: true })];
  }
  if (typeof prompt === "string" || typeof completion === "string") {
    throw rowError(index, {
      problem: "prompt and completion are not of one kind",
      expected: "two texts or two conversations",
      got: "one of each",
      column: "completion",
    });
  }
  if (prompt.length === 0) throw new EmptyRowError(index, "no prompt");
  if (completion.length === 0) throw new EmptyRowError(index, "no completion");
  const shared = { tokenize: true as const, ...templateOptions(row, index, chatTemplate) };
  return rendering(index, [...prompt, ...completion], () => [
    tokenizer.applyChatTemplate(prompt, { ...shared, addGenerationPrompt: true }),
    tokenizer.applyChatTemplate([...prompt, ...completion], { ...shared, addGenerationPrompt: false }),
  ]);
}

/** What `render` gives; a template that refuses the messages of a row becomes its error. */
export function rendering<Result>(index: number, messages: readonly Message[], render: () => Result): Result {
  try {
    return render();
  } catch (cause) {
    if (messages.some(isSilent)) throw new EmptyRowError(index, "no content", cause);
    throw rowError(index, {
      problem: "the chat template refuses the conversation",
      expected: "one that it renders",
      got: JSON.stringify((cause as Error).message),
      cause,
    });
  }
}

/** A text with EOS at its end, where it does not end with it. */
export function withEos(completion: string, eosToken: string | null | undefined): string {
  return !eosToken || completion.endsWith(eosToken) ? completion : completion + eosToken;
}

/** The template's options, among them the row's own `tools` (a list, or its JSON) and `chat_template_kwargs`. */
export function templateOptions(
  row: DataRow,
  index: number,
  chatTemplate: string | undefined,
): { chatTemplate?: string; tools?: object[]; variables?: DataRow } {
  const tools = row["tools"] ?? undefined;
  const kwargs = row["chat_template_kwargs"] ?? undefined;
  return {
    ...(chatTemplate !== undefined && { chatTemplate }),
    ...(tools !== undefined && { tools: toolsOf(row, index) }),
    ...(kwargs !== undefined && { variables: kwargs as DataRow }),
  };
}

function toolsOf(row: DataRow, index: number): object[] {
  let tools = columnOf(row, "tools", index);
  let cause: unknown;
  if (typeof tools === "string") {
    try {
      tools = parseJson(tools, { operation: "tools" });
    } catch (error) {
      cause = error;
    }
  }
  if (Array.isArray(tools)) return tools;
  throw rowError(index, {
    problem: '"tools" is not a list',
    expected: "a list or its JSON text",
    got: excerpt(tools),
    column: "tools",
    cause,
  });
}
