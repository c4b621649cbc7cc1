import type { GenerateOptions, GenerationDefaults, GenerationTokenizer, SamplingOptions, TextGenerator } from "@kto/generate";

/** A model as clients know it. */
export interface ServedModel {
  /** What a request's `model` says. */
  id: string;
  /** The adapter that acts, by its name on the generator's model; null for none. */
  adapter: string | null;
}

/** What holds for requests that do not say otherwise; what is left out here too comes from `generation_config.json`. */
export type RequestDefaults = SamplingOptions & Pick<GenerateOptions, "maxNewTokens" | "stop" | "eosTokenId" | "chatTemplate">;

/** What is served, and within which limits. */
export interface ServeOptions {
  /** Answers the requests: a `TextGenerator`. It stays its caller's to dispose. */
  generator: Pick<TextGenerator, "generate">;
  /** That of the generator's model. */
  tokenizer: GenerationTokenizer;
  vocabSize: number;
  /** Tokens of a prompt and its answer together, at most. */
  contextSize: number;
  /** The base, and each adapter as a model of its own. */
  models: readonly ServedModel[];
  generationConfig?: GenerationDefaults | undefined;
  defaults?: RequestDefaults | undefined;
  /** Without it anybody is answered who can reach the server. */
  apiKey?: string | undefined;
  /** Names by which the server may be asked besides localhost, its subdomains and IP addresses: others get 403. Default: any. */
  allowedHosts?: readonly string[] | undefined;
  /** Origins whose pages may read answers, `*` for any. Default none. */
  corsOrigins?: readonly string[] | undefined;
  /** Answers that are made together; a request of `n` choices needs `n`. Default 32. */
  maxRunning?: number | undefined;
  /** Requests that wait for the first of their answers to begin; further ones get 429. Default 128. */
  maxQueue?: number | undefined;
  /** Bytes of a request's body. Default 2 MiB. */
  maxBodyBytes?: number | undefined;
  /** Is told of each request when its answer has ended. */
  onRequest?: ((request: ServedRequest) => void) | undefined;
  /** Is told of what failed in the server itself: the client is told little. */
  onError?: ((error: unknown) => void) | undefined;
}

/** A request that has been answered. */
export interface ServedRequest {
  method: string;
  path: string;
  status: number;
  elapsedMs: number;
  /** Tokens of prompts, and of all choices; 0 for a request that asks for no text. */
  promptTokens: number;
  newTokens: number;
}

/** A context of 131,072 tokens is some 600 kB of English, and JSON may write a letter of another script in six. */
export const defaultMaxBodyBytes: number = 2 * 2 ** 20;
/** Those of a `TextGenerator`. */
export const defaultMaxRunning = 32;
export const defaultMaxQueue = 128;

/** Choices of a request together, over all of its prompts: OpenAI's bound of `n`. */
export const maxChoices = 128;
