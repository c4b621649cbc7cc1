import type { GenerationPiece, GenerationResult, TokenLogprob } from "@kto/generate";
import type { GenerationRequest } from "../request/generation-request.js";
import { finishReason, type Reply, replyHead, type ReplyHead, usageOf } from "./reply.js";
import type { TokenText, TokenTexts } from "./token-texts.js";

/** `choices[].logprobs` of a chat. */
interface ChatLogprobs {
  content: (TokenText & { top_logprobs: TokenText[] })[];
  refusal: null;
}

/** Answers of `/v1/chat/completions`. */
export class ChatReply implements Reply {
  readonly #request: GenerationRequest;
  readonly #texts: TokenTexts;
  readonly #head: ReplyHead;

  constructor(request: GenerationRequest, texts: TokenTexts) {
    this.#request = request;
    this.#texts = texts;
    this.#head = replyHead("chatcmpl", request);
  }

  whole(results: readonly GenerationResult[]): object {
    const choices = results.map((result, index) => ({
      index,
      message: { role: "assistant", content: result.text, refusal: null },
      logprobs: this.#logprobs(result.logprobs),
      finish_reason: finishReason(result),
    }));
    return { ...this.#head, object: "chat.completion", choices, usage: usageOf(this.#request.promptTokens, results) };
  }

  opening(index: number): object {
    return this.#chunk(index, { role: "assistant", content: "", refusal: null });
  }

  piece(index: number, { text, logprobs }: GenerationPiece): object | undefined {
    const shown = this.#logprobs(logprobs);
    if (text === "" && !shown?.content.length) return undefined;
    return this.#chunk(index, { content: text }, shown);
  }

  ending(index: number, result: GenerationResult): object {
    return this.#chunk(index, {}, null, finishReason(result));
  }

  usage(results: readonly GenerationResult[]): object {
    return { ...this.#head, object: "chat.completion.chunk", choices: [], usage: usageOf(this.#request.promptTokens, results) };
  }

  #chunk(index: number, delta: object, logprobs: ChatLogprobs | null = null, reason: string | null = null): object {
    return {
      ...this.#head,
      object: "chat.completion.chunk",
      choices: [{ index, delta, logprobs, finish_reason: reason }],
      ...(this.#request.includeUsage && { usage: null }),
    };
  }

  #logprobs(logprobs: readonly TokenLogprob[] | undefined): ChatLogprobs | null {
    if (this.#request.logprobs === undefined) return null;
    const content = this.#texts
      .shown(logprobs)
      .map((entry) => ({ ...this.#texts.of(entry), top_logprobs: entry.top.map((other) => this.#texts.of(other)) }));
    return { content, refusal: null };
  }
}
