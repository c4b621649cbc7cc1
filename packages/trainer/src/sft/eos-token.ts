import { DataPreparationError } from "../data/errors.js";
import { expectTokenizer } from "../data/tokenize-row.js";
import type { Tokenizer } from "../data/tokenizer.js";

/** A tokenizer with the EOS token that is asked for; null for its own. Throws DataPreparationError where there is no tokenizer, or no such token. */
export function withEosToken(tokenizer: Tokenizer | undefined, eosToken: string | null): Tokenizer | undefined {
  if (eosToken === null || tokenizer?.eosToken === eosToken) return tokenizer;
  const changed = expectTokenizer({ tokenizer }).withEosToken?.(eosToken);
  if (changed) return changed;
  throw new DataPreparationError({
    operation: "data",
    problem: "{eosToken} is no token of the tokenizer",
    expected: "a token of its vocabulary",
    got: JSON.stringify(eosToken),
    fields: ["eosToken"],
  });
}
