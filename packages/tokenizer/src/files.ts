import { TokenizerError } from "./errors.js";

/** The contents of a file: its bytes, its text, or what it parses to. */
export type FileContent = Uint8Array | string | object;

/** A model's tokenizer files, under camel-cased names; all but `tokenizer.json` may be missing. */
export interface TokenizerFiles {
  tokenizerJson: FileContent;
  tokenizerConfig?: FileContent;
  specialTokensMap?: FileContent;
  /** `added_tokens.json`, which old models have beside a `tokenizer_config.json` without `added_tokens_decoder`. */
  addedTokens?: FileContent;
  generationConfig?: FileContent;
  /** `config.json`: transformers picks the class of a tokenizer by its `model_type`. */
  modelConfig?: FileContent;
  /** The text of `chat_template.jinja`, which wins over a template in `tokenizer_config.json`. */
  chatTemplate?: Uint8Array | string;
  /** The texts of `additional_chat_templates/NAME.jinja` by name. */
  additionalChatTemplates?: Readonly<Record<string, Uint8Array | string>>;
}

export type JsonObject = Record<string, unknown>;

/** Names and the file each is in. */
export const FILE_NAMES = {
  tokenizerJson: "tokenizer.json",
  tokenizerConfig: "tokenizer_config.json",
  specialTokensMap: "special_tokens_map.json",
  addedTokens: "added_tokens.json",
  generationConfig: "generation_config.json",
  modelConfig: "config.json",
  chatTemplate: "chat_template.jinja",
} as const;

/** Where a model keeps its templates beside the one in `chat_template.jinja`. */
export const TEMPLATE_FOLDER = "additional_chat_templates";

/** Parses a JSON file that must hold an object; throws `TokenizerError` naming it. */
export function parseJson(file: string, content: FileContent): JsonObject {
  let value: unknown = content;
  if (typeof content === "string" || content instanceof Uint8Array) {
    try {
      value = JSON.parse(toText(file, content).replace(/^\ufeff/, ""));
    } catch (cause) {
      if (cause instanceof TokenizerError) throw cause;
      throw new TokenizerError(
        `Tokenizer.fromFiles: ${file} is not valid JSON (${(cause as Error).message}); copy the file from the model again`,
        {
          file,
          cause,
        },
      );
    }
  }
  if (!isObject(value)) {
    throw new TokenizerError(
      `Tokenizer.fromFiles: ${file} holds no JSON object; expected {…}, got ${value === null ? "null" : Array.isArray(value) ? "an array" : typeof value}`,
      { file },
    );
  }
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The text of a file, a byte-order mark included, as Python reads it. Throws `TokenizerError` naming a file that is not UTF-8. */
export function toText(file: string, content: unknown): string {
  if (typeof content === "string") return content;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content as Uint8Array);
  } catch (cause) {
    throw new TokenizerError(`Tokenizer.fromFiles: ${file} is no UTF-8 text; copy the file from the model again`, { file, cause });
  }
}
