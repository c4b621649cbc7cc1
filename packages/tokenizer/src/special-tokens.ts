import { malformed } from "./errors.js";
import { FILE_NAMES, isObject, type JsonObject } from "./files.js";

/** Names of the special tokens in the order in which transformers adds those that a vocabulary lacks. */
const NAMES: readonly string[] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/** Texts of the special tokens that a tokenizer names, under the keys of `tokenizer_config.json`; models add names such as `image_token`. */
export type SpecialTokens = Record<string, string | undefined>;

/** The special tokens of a model, as its files name them. */
export interface NamedTokens {
  /** By name, in the order of their ids where they are added. */
  named: SpecialTokens;
  /** Further ones without a name (`additional_special_tokens`, `extra_special_tokens`). */
  extra: string[];
}

/** What transformers gives a tokenizer of Qwen2 whose files do not name these. */
const QWEN2_DEFAULTS: SpecialTokens = { unk_token: "<|endoftext|>", eos_token: "<|endoftext|>", pad_token: "<|endoftext|>" };

/** What special tokens are read from. */
export interface SpecialTokenFiles {
  config: JsonObject;
  map: JsonObject;
  isQwen2: boolean;
  /** `padding` of `tokenizer.json`. */
  padding: unknown;
}

/**
 * The special tokens as transformers 5.24 finds them: those of `special_tokens_map.json` win over `tokenizer_config.json`, unless that has
 * `added_tokens_decoder`; then the map is not read at all. What is null there is none. Throws `TokenizerError` for a token that is neither text nor `{content}`.
 */
export function readSpecialTokens({ config, map, isQwen2, padding }: SpecialTokenFiles): NamedTokens {
  const configFile = FILE_NAMES.tokenizerConfig;
  const found = new Map<string, string | undefined>(Object.entries(isQwen2 ? QWEN2_DEFAULTS : paddingToken(padding)));
  const extra: string[] = [];
  readNamed(config, configFile, found);
  const listed = config["extra_special_tokens"] || config["additional_special_tokens"];
  readExtra(listed, configFile, found, extra);
  if (config["added_tokens_decoder"] === undefined) {
    readNamed(map, FILE_NAMES.specialTokensMap, found);
    const isListed = Array.isArray(listed) && listed.length > 0;
    readExtra(
      map["extra_special_tokens"] ?? (isListed ? undefined : map["additional_special_tokens"]),
      FILE_NAMES.specialTokensMap,
      found,
      extra,
    );
  }
  const own = [...found.keys()].filter((name) => !NAMES.includes(name));
  return {
    named: Object.fromEntries([...NAMES, ...own].flatMap((name) => (found.get(name) === undefined ? [] : [[name, found.get(name)]]))),
    extra,
  };
}

function paddingToken(padding: unknown): SpecialTokens {
  const token = isObject(padding) ? padding["pad_token"] : undefined;
  return typeof token === "string" ? { pad_token: token } : {};
}

/** Every key that is the name of a token; other keys that end so may hold anything (`add_bos_token`). */
function readNamed(source: JsonObject, file: string, found: Map<string, string | undefined>): void {
  for (const [name, value] of Object.entries(source)) {
    if (NAMES.includes(name)) found.set(name, value === null ? undefined : tokenText(file, name, value));
    else if (name.endsWith("_token") && (typeof value === "string" || isObject(value))) found.set(name, tokenText(file, name, value));
  }
}

/** A list of tokens without names, or an object of tokens by name. */
function readExtra(value: unknown, file: string, found: Map<string, string | undefined>, extra: string[]): void {
  if (value === undefined || value === null || value === false || value === "") return;
  if (Array.isArray(value)) {
    for (const [index, token] of value.entries()) {
      const text = tokenText(file, `additional_special_tokens[${index}]`, token);
      if (!extra.includes(text)) extra.push(text);
    }
  } else if (isObject(value)) {
    for (const [name, token] of Object.entries(value)) found.set(name, tokenText(file, `extra_special_tokens.${name}`, token));
  } else {
    throw malformed(file, "extra_special_tokens", "a list of tokens, or an object of them by name", value);
  }
}

/** Longest text of a special token. */
const MAX_LENGTH = 1024;

/** A token is written as its text or as an object with `content`. */
function tokenText(file: string, where: string, value: unknown): string {
  const text = isObject(value) ? value["content"] : value;
  if (typeof text !== "string") throw malformed(file, where, "a text or {content: text}", value);
  if (text.length > MAX_LENGTH) throw malformed(file, where, `at most ${MAX_LENGTH} letters`, text.length);
  return text;
}
