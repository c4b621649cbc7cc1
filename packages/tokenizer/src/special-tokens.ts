import type { AddedToken, JsonObject, TokenizerJson } from "./files.js";

const NAMES = ["bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token"] as const;

export type SpecialTokenName = (typeof NAMES)[number];

/** Texts of the special tokens that a tokenizer names, under the keys of `tokenizer_config.json`. */
export type SpecialTokens = Partial<Record<SpecialTokenName, string>>;

/** Reads the named special tokens; `special_tokens_map.json` stands in where `tokenizer_config.json` says nothing. */
export function readSpecialTokens(config: JsonObject, map: JsonObject): SpecialTokens {
  const tokens: SpecialTokens = {};
  for (const name of NAMES) {
    const text = tokenText(name in config ? config[name] : map[name]);
    if (text !== undefined) tokens[name] = text;
  }
  return tokens;
}

/** A token is written as its text or as an object with `content`. */
function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

/**
 * The added tokens of `tokenizer.json` and, as transformers does on loading, those of `added_tokens_decoder` and every named
 * special token that is not among them: matched as a whole in text, with the id it has in the vocabulary, or the next free one.
 */
export function allAddedTokens(json: TokenizerJson, config: JsonObject, map: JsonObject, named: SpecialTokens): AddedToken[] {
  const tokens = [...json.added_tokens];
  const known = new Set(tokens.map(({ content }) => content));
  let next = vocabularySize(json, tokens);
  const add = (content: string, flags: Partial<AddedToken>): void => {
    if (known.has(content)) return;
    known.add(content);
    tokens.push({ special: true, normalized: false, ...flags, content, id: vocabularyId(json, content) ?? next++ });
  };
  const declared = Object.entries((config["added_tokens_decoder"] ?? {}) as Record<string, Partial<AddedToken>>);
  for (const [, token] of declared.sort(([a], [b]) => Number(a) - Number(b))) if (token.content !== undefined) add(token.content, token);
  const extra = config["additional_special_tokens"] ?? config["extra_special_tokens"] ?? map["additional_special_tokens"];
  const others = Array.isArray(extra) ? extra.map(tokenText) : [];
  for (const content of [...Object.values(named), ...others]) if (content !== undefined) add(content, {});
  return tokens;
}

/** One more than the largest id of the model's vocabulary and the added tokens. */
export function vocabularySize(json: TokenizerJson, added: readonly AddedToken[]): number {
  const { vocab } = json.model;
  let largest = Array.isArray(vocab) ? vocab.length - 1 : -1;
  if (!Array.isArray(vocab)) for (const id of Object.values(vocab)) if (id > largest) largest = id;
  for (const { id } of added) if (id > largest) largest = id;
  return largest + 1;
}

function vocabularyId(json: TokenizerJson, token: string): number | undefined {
  const { vocab } = json.model;
  if (!Array.isArray(vocab)) return Object.hasOwn(vocab, token) ? vocab[token] : undefined;
  const index = vocab.findIndex(([text]) => text === token);
  return index === -1 ? undefined : index;
}
