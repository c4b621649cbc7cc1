import type { CausalLM, TokenLogprob } from "@kto/tensor";
import type { FinishReason } from "./engine/row.js";
import type { GenerationDefaults, SamplingOptions } from "./sampling-options.js";
import type { Decoder } from "./text/text-stream.js";

/** One message of a conversation, as chat templates read it. */
export interface ChatMessage {
  role: string;
  content?: unknown;
  [field: string]: unknown;
}

/** What generation needs of a tokenizer; `@kto/tokenizer` makes such objects, and any other of this shape will do. */
export interface GenerationTokenizer extends Decoder {
  encode(text: string): number[];
  applyChatTemplate(
    messages: ChatMessage[],
    options: {
      addGenerationPrompt: true;
      tokenize: true;
      chatTemplate?: string;
      tools?: readonly object[];
      variables?: Readonly<Record<string, unknown>>;
    },
  ): number[];
  /** Ids that end an answer, where `generation_config.json` names none. */
  readonly eosTokenIds: readonly number[];
  /** Ids that end an answer by the chat template that it was given, beside those. */
  readonly stopTokenIds?: readonly number[];
  /** Texts that do. */
  readonly stopStrings?: readonly string[];
}

/** What a model may carry, which is taken as the default; that of a model with adapters comes before its base's. */
interface Carried {
  readonly tokenizer?: GenerationTokenizer | undefined;
  readonly generationConfig?: GenerationDefaults | undefined;
}

/** A model with adapters on it, as `@kto/lora` makes it. */
interface AdaptedModel {
  readonly base: CausalLM & Carried;
  readonly activeAdapters: readonly string[];
  readonly adapters: ReadonlyMap<string, unknown>;
  withAdapters<T>(names: readonly string[], body: () => T): T;
}

/** A model that can be asked: a `CausalLM`, or one with adapters. */
export type GenerationModel = (CausalLM | AdaptedModel) & Carried;

/** What is answered, and how: one of `messages`, `prompt` and `inputIds`. */
export interface GenerateOptions extends SamplingOptions {
  /** A conversation, rendered with the chat template and the opening of an answer; in another layout where the tokenizer was given its mapping. */
  messages?: readonly (ChatMessage | Readonly<Record<string, unknown>>)[] | undefined;
  /** Text to go on with; special tokens such as BOS are added. */
  prompt?: string | undefined;
  /** Ids to go on with, as they are. */
  inputIds?: readonly number[] | undefined;
  /** Default: to the end of the context. */
  maxNewTokens?: number | undefined;
  /** Texts at which an answer ends; they are not part of it. */
  stop?: string | readonly string[] | undefined;
  /** In place of the model's own, which are those of `generation_config.json`, else the tokenizer's, and those of a chat template that it was given. */
  eosTokenId?: number | readonly number[] | undefined;
  /** From 0 to 20: with it pieces and result have the log-probability of each token, and those of so many of the likeliest in its place. */
  logprobs?: number | undefined;
  /** Leaves special tokens out of the text; default true. */
  skipSpecialTokens?: boolean | undefined;
  /** The adapter, or adapters, that act, by name; null for none. Default: those that are active. */
  adapter?: string | readonly string[] | null | undefined;
  /** Default: the model's. `getChatTemplate` of `@kto/tokenizer` gives one that speaks another format. */
  tokenizer?: GenerationTokenizer | undefined;
  chatTemplate?: string | undefined;
  tools?: readonly object[] | undefined;
  /** Further variables of the template. */
  templateVariables?: Readonly<Record<string, unknown>> | undefined;
  /** Ends the answer; the iteration and the result then reject with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** A piece of an answer, as soon as it is known. */
export interface GenerationPiece {
  text: string;
  /** The ids that came with it: text may lag behind them. */
  ids: number[];
  /** Of these ids, where they are asked for: log softmax of the logits as the model gives them, before penalty and temperature. */
  logprobs?: TokenLogprob[];
}

/** What came of it. */
export interface GenerationResult {
  text: string;
  /** New tokens, the end token included. */
  ids: number[];
  /** Of these ids, as in the pieces. */
  logprobs?: TokenLogprob[];
  promptTokens: number;
  newTokens: number;
  /** Tokens of the prompt that were in the cache from an earlier answer. */
  cachedTokens: number;
  /**
   * `stop`: an end token or a stop string; `length`: as many tokens as were asked for, or the end of the context; `cancelled`: who iterated left the loop, or
   * the generator was disposed.
   */
  finishReason: FinishReason;
  /** New tokens after the first, by the time they took. */
  tokensPerSecond: number;
  /** Time to the first token, in milliseconds. */
  firstTokenMs: number;
  /** Of the random numbers. */
  seed: number;
}

/** An answer under way: its pieces are an async iterable, its end a promise. Nobody has to iterate; who does and leaves the loop ends the answer. */
export interface Generation extends AsyncIterable<GenerationPiece> {
  readonly result: Promise<GenerationResult>;
}
