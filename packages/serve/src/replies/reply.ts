import type { GenerationPiece, GenerationResult } from "@kto/generate";
import type { GenerationRequest } from "../request/generation-request.js";

/** How an endpoint writes its answers. */
export interface Reply {
  /** The whole answer. */
  whole(results: readonly GenerationResult[]): object;
  /** What a stream begins each choice with; none where the endpoint's streams begin with text. */
  opening(index: number): object | undefined;
  /** A piece of a choice; undefined for one that has nothing to show. */
  piece(index: number, piece: GenerationPiece): object | undefined;
  /** What a choice ends with. */
  ending(index: number, result: GenerationResult): object;
  /** The chunk after the last choice, for who asked for it. */
  usage(results: readonly GenerationResult[]): object;
}

/** What every answer and every chunk of it begins with. */
export interface ReplyHead {
  id: string;
  /** Unix time in seconds. */
  created: number;
  model: string;
}

/** Tokens of a request, as OpenAI counts them. */
export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
}

export function replyHead(prefix: string, { model }: GenerationRequest): ReplyHead {
  const id = `${prefix}-${crypto.randomUUID().replaceAll("-", "")}`;
  return { id, created: Math.floor(Date.now() / 1000), model: model.id };
}

/** Each prompt is counted once, however many choices it has; what of it was in the cache is that of its best choice. */
export function usageOf(promptTokens: number, results: readonly GenerationResult[]): Usage {
  const completionTokens = results.reduce((sum, { newTokens }) => sum + newTokens, 0);
  const cachedTokens = Math.min(
    promptTokens,
    results.reduce((most, result) => Math.max(most, result.cachedTokens), 0),
  );
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** `stop` or `length`. */
export function finishReason({ finishReason: reason }: GenerationResult): string {
  return reason === "length" ? "length" : "stop";
}
