import { answerEnd, type GenerationTokenizer, type TokenLogprob } from "@kto/generate";
import type { ServeOptions } from "../options.js";

/** A log-probability of no token at all, where JSON has no infinity: OpenAI's number. */
const leastLogprob = -9999;

/** A token with its log-probability as text. */
export interface TokenText {
  token: string;
  logprob: number;
  /** Of the token in UTF-8; null for a part of a character, whose bytes are no text. */
  bytes: number[] | null;
}

/** Log-probabilities of tokens as texts. End tokens are left out: they are no part of the answer's text. */
export class TokenTexts {
  readonly #tokenizer: GenerationTokenizer;
  readonly #endIds: ReadonlySet<number>;
  readonly #encoder = new TextEncoder();

  constructor({ tokenizer, defaults = {}, generationConfig = {} }: Pick<ServeOptions, "tokenizer" | "defaults" | "generationConfig">) {
    this.#tokenizer = tokenizer;
    this.#endIds = new Set(answerEnd(defaults, generationConfig, tokenizer).eosTokenIds);
  }

  /** Those of an answer or a piece of it, without the end. */
  shown(logprobs: readonly TokenLogprob[] | undefined): readonly TokenLogprob[] {
    return (logprobs ?? []).filter(({ id }) => !this.#endIds.has(id));
  }

  text(id: number): string {
    return this.#tokenizer.decode([id], { skipSpecialTokens: false });
  }

  of({ id, logprob }: { id: number; logprob: number }): TokenText {
    const token = this.text(id);
    const bytes = token.includes("\ufffd") ? null : [...this.#encoder.encode(token)];
    return { token, logprob: finite(logprob), bytes };
  }
}

/** A number that JSON has. */
export function finite(logprob: number): number {
  return Math.max(logprob, leastLogprob);
}
