import { TokenizerError } from "./errors.js";

/** The contents of a file: its bytes, its text, or what it parses to. */
export type FileContent = Uint8Array | string | object;

/** A model's tokenizer files, under camel-cased names; all but `tokenizer.json` may be missing. */
export interface TokenizerFiles {
  tokenizerJson: FileContent;
  tokenizerConfig?: FileContent;
  specialTokensMap?: FileContent;
  generationConfig?: FileContent;
  /** The text of `chat_template.jinja`, which wins over a template in `tokenizer_config.json`. */
  chatTemplate?: Uint8Array | string;
}

/** An entry of `added_tokens` in `tokenizer.json`. */
export interface AddedToken {
  id: number;
  content: string;
  single_word?: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  normalized?: boolean;
  special?: boolean;
}

/** What we read of `tokenizer.json`; the rest is the tokenizer library's business. */
export interface TokenizerJson {
  [key: string]: unknown;
  added_tokens: AddedToken[];
  model: {
    [key: string]: unknown;
    type?: string;
    vocab: Record<string, number> | [string, number][];
    unk_token?: string | null;
    unk_id?: number | null;
  };
  decoder: { type: string; decoders?: { type: string }[] } | null;
}

export type JsonObject = Record<string, unknown>;

/** Names and the file each is in. */
export const FILE_NAMES = {
  tokenizerJson: "tokenizer.json",
  tokenizerConfig: "tokenizer_config.json",
  specialTokensMap: "special_tokens_map.json",
  generationConfig: "generation_config.json",
  chatTemplate: "chat_template.jinja",
} as const;

/** Parses a JSON file that must hold an object; throws `TokenizerError` naming it. */
export function parseJson(file: string, content: FileContent): JsonObject {
  let value: unknown = content;
  if (typeof content === "string" || content instanceof Uint8Array) {
    try {
      value = JSON.parse(toText(content));
    } catch (cause) {
      throw new TokenizerError(
        `Tokenizer.fromFiles: ${file} is not valid JSON (${(cause as Error).message}); copy the file from the model again`,
        { file, cause },
      );
    }
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TokenizerError(
      `Tokenizer.fromFiles: ${file} holds no JSON object; expected {…}, got ${value === null ? "null" : Array.isArray(value) ? "an array" : typeof value}`,
      { file },
    );
  }
  return value as JsonObject;
}

/** Kinds of vocabulary that the tokenizer library reads; a file without a type is told by its contents. */
const MODEL_TYPES: ReadonlySet<string> = new Set(["BPE", "Unigram", "WordPiece"]);

/** Checks the parts of `tokenizer.json` that we read, and fills in those that may be left out; throws `TokenizerError`. */
export function checkTokenizerJson(json: JsonObject): TokenizerJson {
  const file = FILE_NAMES.tokenizerJson;
  const model = json["model"] as TokenizerJson["model"] | undefined;
  const vocab = model?.vocab;
  if (typeof vocab !== "object" || vocab === null) {
    throw new TokenizerError(
      `Tokenizer.fromFiles: ${file} has no vocabulary; expected model.vocab, got keys [${Object.keys(json).join(", ")}]`,
      { file },
    );
  }
  if (model?.type !== undefined && !MODEL_TYPES.has(model.type)) {
    throw new TokenizerError(
      `Tokenizer.fromFiles: model type ${model.type} of ${file} is not supported; expected one of ${[...MODEL_TYPES].join(", ")}`,
      { file },
    );
  }
  const added = json["added_tokens"] ?? [];
  const isToken = (token: unknown): boolean =>
    typeof (token as AddedToken)?.content === "string" && Number.isInteger((token as AddedToken).id);
  if (!Array.isArray(added) || !added.every(isToken)) {
    throw new TokenizerError(`Tokenizer.fromFiles: added_tokens of ${file} is malformed; expected a list of {id, content, …}`, { file });
  }
  return {
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    ...json,
    added_tokens: added,
    model,
  } as TokenizerJson;
}

export function toText(content: Uint8Array | string): string {
  return typeof content === "string" ? content : new TextDecoder("utf-8", { fatal: true }).decode(content);
}
