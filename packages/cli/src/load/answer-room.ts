import { maxNewTokensOf } from "@kto/generate";
import type { ModelFiles } from "@kto/kit";
import { ConfigError } from "../errors.js";

/** How long prompt and answer may be. */
export interface AnswerRoom {
  /** Tokens of an answer; undefined for as many as there is room for. */
  maxNewTokens: number | undefined;
  /** Tokens of prompt and answer together, and what says so. */
  limit: number;
  what: "max_length" | "the context";
}

/** The room that flags and the model leave: the smaller of `max_length` and the context; `max_new_tokens` of `generation_config.json` where it is not given. Throws GenerationError for one out of range there. */
export function answerRoom(
  { maxLength, maxNewTokens }: { maxLength: number | null; maxNewTokens: number | null },
  { config, generationConfig }: Pick<ModelFiles, "config" | "generationConfig">,
): AnswerRoom {
  const context = Math.min(config.maxPositionEmbeddings, config.slidingWindow ?? Infinity);
  return {
    maxNewTokens: maxNewTokensOf(maxNewTokens ?? undefined, generationConfig ?? {}),
    ...(maxLength !== null && maxLength < context ? { limit: maxLength, what: "max_length" } : { limit: context, what: "the context" }),
  };
}

/** Tokens that the answer to a prompt of so many may have. */
export function roomAfter(promptTokens: number, { maxNewTokens = Infinity, limit }: AnswerRoom): number {
  return Math.min(maxNewTokens, limit - promptTokens);
}

/** Throws ConfigError for a prompt that has no token or leaves no room for an answer. */
export function expectRoom(promptTokens: number, { limit, what }: AnswerRoom): void {
  if (promptTokens === 0) throw new ConfigError(["prompt: it has no token; expected at least one, got none; give some text"]);
  if (promptTokens < limit) return;
  const advice = what === "max_length" ? "shorten it, or raise max_length" : "shorten it";
  throw new ConfigError([`prompt: it fills ${what}; expected at most ${limit - 1} tokens, got ${promptTokens}; ${advice}`]);
}
