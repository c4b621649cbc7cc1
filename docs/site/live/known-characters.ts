import { DataPreparationError } from "@kto/trainer";
import type { Tokenizer } from "@kto/tokenizer";

/** Most characters that the error names. */
const mostNamed = 12;

/** A tokenizer that remembers the characters that it was given and has no token for; it passes them over, as the one that it was made of. */
export interface WatchedTokenizer {
  tokenizer: Tokenizer;
  /** Throws DataPreparationError if there were any: a model of sums would learn from rows full of holes. */
  expectKnown(): void;
}

/** Watches a tokenizer whose tokens are single characters and special ones, as the quickstart's are. */
export function watched(tokenizer: Tokenizer): WatchedTokenizer {
  const tokens = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.idToToken(id) ?? "");
  const known = new Set(tokens.filter((token) => [...token].length === 1));
  const unknown = new Set<string>();
  const encode: Tokenizer["encode"] = (text, options) => {
    for (const character of text.replace(/<\|[a-z]+\|>/g, "")) if (!known.has(character)) unknown.add(character);
    return tokenizer.encode(text, options);
  };
  const expectKnown = (): void => {
    if (unknown.size === 0) return;
    const named = [...unknown].slice(0, mostNamed).map((character) => JSON.stringify(character));
    const more = unknown.size > mostNamed ? ` and ${unknown.size - mostNamed} more` : "";
    throw new DataPreparationError(
      `data: the model of this page has no token for some of the characters; expected ${[...known].join(" ")}, got ${named.join(" ")}${more}; to train on words take kto train and a model of the hub`,
    );
  };
  return { tokenizer: Object.assign(Object.create(tokenizer) as Tokenizer, { encode }), expectKnown };
}
