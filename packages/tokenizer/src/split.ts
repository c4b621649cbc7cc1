import type { ChatMessage } from "@kto/chat-templates";
import { commonPrefixLength } from "@kto/core";
import { TokenizerError } from "./errors.js";

/** A prompt and its completion, both as texts or both as conversations. */
export interface PromptCompletion {
  prompt: string | readonly ChatMessage[];
  completion: string | readonly ChatMessage[];
}

/** The part of `Tokenizer` that a split needs. */
export interface SplitTokenizer {
  readonly eosToken: string | null;
  encode(text: string): number[];
  applyChatTemplate(messages: readonly ChatMessage[], options: SplitOptions & { tokenize: true; addGenerationPrompt?: boolean }): number[];
}

/** How conversations are rendered for a split. */
export interface SplitOptions {
  tools?: readonly object[] | null;
  chatTemplate?: string;
  /** Further template variables (`chat_template_kwargs`). */
  variables?: Readonly<Record<string, unknown>>;
}

/**
 * The ids of a prompt and of its completion as trl 1.16 makes them. Prompt alone (conversations with a generation prompt) and
 * prompt with completion are both tokenised; the prompt is what the two sequences of ids share at their start, the completion is
 * the rest of the second. The EOS text is put behind a plain-text completion that lacks it; conversations get nothing added.
 *
 * Throws `TemplateError` from the template, `TokenizerError` for a row that mixes texts and conversations.
 */
export function splitPromptCompletion(
  tokenizer: SplitTokenizer,
  row: PromptCompletion,
  options: SplitOptions = {},
): { promptIds: number[]; completionIds: number[] } {
  const { prompt, completion } = row;
  let promptOnly: number[];
  let whole: number[];
  if (typeof prompt === "string" && typeof completion === "string") {
    const eos = tokenizer.eosToken ?? "";
    promptOnly = tokenizer.encode(prompt);
    whole = tokenizer.encode(prompt + (completion.endsWith(eos) ? completion : completion + eos));
  } else if (typeof prompt !== "string" && typeof completion !== "string") {
    promptOnly = tokenizer.applyChatTemplate(prompt, { ...options, tokenize: true, addGenerationPrompt: true });
    whole = tokenizer.applyChatTemplate([...prompt, ...completion], { ...options, tokenize: true });
  } else {
    throw new TokenizerError("splitPromptCompletion: prompt and completion differ in kind; expected two texts or two lists of messages");
  }
  const boundary = commonPrefixLength(promptOnly, whole);
  return { promptIds: whole.slice(0, boundary), completionIds: whole.slice(boundary) };
}
