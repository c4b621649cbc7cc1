import type { PrepareOptions } from "./prepare-options.js";
import type { TokenizeInput } from "./tokenize-all.js";
import type { KeyPart } from "./token-cache.js";

/** Raised when the same rows become other ids, notes or facts than before, or are written otherwise. */
const TOKENS_VERSION = 3;

/**
 * All that decides what rows become: their contents, how they are read, the tokenizer with its templates and special tokens, and this code. Undefined where it is
 * not known: rows that a program made, a tokenizer that does not tell what it is made of. Lengths are no part of it, since what is kept is not cut yet.
 */
export function cacheKey<Facts>(
  { fingerprint, key, tokenizing }: TokenizeInput<Facts>,
  { tokenizer }: Pick<PrepareOptions, "tokenizer">,
): KeyPart[] | undefined {
  const parts = tokenizer?.parts?.();
  if (fingerprint === undefined || (tokenizer !== undefined && parts === undefined)) return undefined;
  return [
    `tokens ${TOKENS_VERSION}`,
    fingerprint,
    tokenizing.name,
    JSON.stringify(tokenizing.settings),
    ...key,
    JSON.stringify([tokenizer?.bosToken, tokenizer?.bosTokenId, tokenizer?.eosToken, tokenizer?.eosTokenId]),
    ...flattened("tokenizer", parts),
  ];
}

/** Every text and run of bytes in some plain data, each behind its name. */
function flattened(name: string, value: unknown): KeyPart[] {
  if (value instanceof Uint8Array) return [name, value];
  if (typeof value !== "object" || value === null) return [name, JSON.stringify(value) ?? "undefined"];
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, item]) => flattened(`${name}.${key}`, item));
}
