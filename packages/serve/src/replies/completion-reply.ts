import type { GenerationPiece, GenerationResult, TokenLogprob } from "@kto/generate";
import type { GenerationRequest } from "../request/generation-request.js";
import { finishReason, type Reply, replyHead, type ReplyHead, usageOf } from "./reply.js";
import { finite, type TokenTexts } from "./token-texts.js";

/** `choices[].logprobs` of a completion. */
interface CompletionLogprobs {
  tokens: string[];
  token_logprobs: number[];
  top_logprobs: Record<string, number>[];
  text_offset: number[];
}

/** Answers of `/v1/completions`. */
export class CompletionReply implements Reply {
  readonly #request: GenerationRequest;
  readonly #texts: TokenTexts;
  readonly #head: ReplyHead;
  /** Letters of the tokens of each choice so far. */
  readonly #offsets: number[];

  constructor(request: GenerationRequest, texts: TokenTexts) {
    this.#request = request;
    this.#texts = texts;
    this.#head = replyHead("cmpl", request);
    this.#offsets = request.choices.map(() => 0);
  }

  whole(results: readonly GenerationResult[]): object {
    const choices = results.map((result, index) =>
      this.#choice(index, result.text, this.#logprobs(index, result.logprobs), finishReason(result)),
    );
    return { ...this.#head, object: "text_completion", choices, usage: usageOf(this.#request.promptTokens, results) };
  }

  opening(): undefined {
    return undefined;
  }

  piece(index: number, { text, logprobs }: GenerationPiece): object | undefined {
    const shown = this.#logprobs(index, logprobs);
    return text === "" && !shown?.tokens.length ? undefined : this.#chunk(this.#choice(index, text, shown, null));
  }

  ending(index: number, result: GenerationResult): object {
    return this.#chunk(this.#choice(index, "", null, finishReason(result)));
  }

  usage(results: readonly GenerationResult[]): object {
    return { ...this.#head, object: "text_completion", choices: [], usage: usageOf(this.#request.promptTokens, results) };
  }

  #chunk(choice: object): object {
    return { ...this.#head, object: "text_completion", choices: [choice], ...(this.#request.includeUsage && { usage: null }) };
  }

  #choice(index: number, text: string, logprobs: CompletionLogprobs | null, reason: string | null): object {
    return { text, index, logprobs, finish_reason: reason };
  }

  #logprobs(index: number, logprobs: readonly TokenLogprob[] | undefined): CompletionLogprobs | null {
    if (this.#request.logprobs === undefined) return null;
    const shown: CompletionLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    for (const entry of this.#texts.shown(logprobs)) {
      const token = this.#texts.text(entry.id);
      shown.tokens.push(token);
      shown.token_logprobs.push(finite(entry.logprob));
      const likeliest = [...entry.top, entry].map(({ id, logprob }) => [this.#texts.text(id), finite(logprob)] as const);
      shown.top_logprobs.push(Object.fromEntries(likeliest));
      shown.text_offset.push(this.#offsets[index]!);
      this.#offsets[index]! += token.length;
    }
    return shown;
  }
}
