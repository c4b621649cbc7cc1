import { excerpt } from "@kto/core";
import { textAfterAnswer } from "@kto/gguf-export";
import type { Tokenizer } from "@kto/tokenizer";

/** Where the answers of a model end. */
export interface AnswerEnds {
  /** Texts of tokens: those of the tokenizer and of generation_config.json, and the one that the chat template writes. */
  readonly stop: readonly string[];
  /** Says that the chat template writes another one than EOS, the only one of them that a GGUF file has. */
  readonly note: string | undefined;
}

/** Tells where answers end, by the tokenizer and by what its chat template writes after one. */
export function answerEnds(tokenizer: Tokenizer): AnswerEnds {
  const known = tokenizer.eosTokenIds.map((id) => tokenizer.idToToken(id)).filter((text) => text !== null);
  const { eosToken } = tokenizer;
  const after =
    tokenizer.templateFor().source === "stand-in" ? undefined : textAfterAnswer((messages) => conversation(tokenizer, messages));
  if (after === undefined || (eosToken !== null && after.includes(eosToken))) return { stop: known, note: undefined };
  const [first] = tokenizer.encode(after, { addSpecialTokens: false });
  const token = first === undefined ? null : tokenizer.idToToken(first);
  const end = token !== null && /^<.+>$/s.test(token) ? token : undefined;
  const wants = `${excerpt(eosToken)} (eos_token of tokenizer_config.json)`;
  return {
    stop: end === undefined ? known : [...known, end],
    note: `the chat template ends an answer with ${excerpt(end ?? after, 40)} and never with ${wants}, the one end that a GGUF file names: where answers do not stop, make the template's end the eos_token and export again`,
  };
}

/** A conversation as text, with the opening of an answer. */
export function conversation(tokenizer: Tokenizer, messages: readonly { readonly role: string; readonly content: string }[]): string {
  return tokenizer.applyChatTemplate(
    messages.map((turn) => ({ ...turn })),
    { addGenerationPrompt: true, tokenize: false },
  );
}
