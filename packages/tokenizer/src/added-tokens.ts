import { malformed } from "./errors.js";
import { FILE_NAMES, isObject, type JsonObject } from "./files.js";
import type { NamedTokens } from "./special-tokens.js";
import { type AddedToken, checkAddedToken, isId, type TokenizerJson, type VocabularyModel } from "./tokenizer-json.js";

/** What added tokens are read from. */
export interface AddedTokenFiles {
  json: TokenizerJson;
  config: JsonObject;
  /** `added_tokens.json`: ids by token. */
  addedTokens: JsonObject;
  isQwen2: boolean;
}

type Token = Omit<AddedToken, "id">;

/**
 * Every token that is matched as a whole in a text, with its id, as transformers 5.24 makes them: those of `tokenizer.json` (a tokenizer of Qwen2 starts
 * without), then `added_tokens_decoder` in the order of its ids (where `tokenizer_config.json` has none: `added_tokens.json`), then special tokens that are
 * not among them. A token gets the id that the vocabulary has for it, else the next free one, whatever the file says. Throws `TokenizerError`.
 */
export function allAddedTokens({ json, config, addedTokens, isQwen2 }: AddedTokenFiles, special: NamedTokens): AddedToken[] {
  const list = new TokenList(json.model, isQwen2 ? [] : json.added_tokens);
  for (const token of declaredTokens(json, config, addedTokens, special)) list.add(token);
  const named = Object.values(special.named) as string[];
  for (const content of [...named, ...special.extra]) if (!list.has(content)) list.add({ content, special: true });
  for (const content of isQwen2 ? [...named, ...special.extra] : named) list.markSpecial(content, isQwen2);
  return list.tokens();
}

function declaredTokens(json: TokenizerJson, config: JsonObject, addedTokens: JsonObject, special: NamedTokens): Token[] {
  const tokens = new Map<number, Token>();
  const declared = config["added_tokens_decoder"];
  if (declared !== undefined) {
    const file = FILE_NAMES.tokenizerConfig;
    if (!isObject(declared)) throw malformed(file, "added_tokens_decoder", "an object of tokens by id", declared);
    for (const [id, token] of Object.entries(declared)) {
      if (!/^\d+$/.test(id) || !isId(Number(id))) throw malformed(file, "added_tokens_decoder", "ids as its keys", id);
      tokens.set(Number(id), checkAddedToken(file, `added_tokens_decoder["${id}"]`, token));
    }
  } else {
    const specials = new Set([...Object.values(special.named), ...special.extra]);
    for (const [content, id] of Object.entries(addedTokens)) {
      if (!isId(id)) throw malformed(FILE_NAMES.addedTokens, JSON.stringify(content.slice(0, 40)), "an id", id);
      tokens.set(id, {
        ...checkAddedToken(FILE_NAMES.addedTokens, "a key", { content }),
        special: specials.has(content),
        normalized: !specials.has(content),
      });
    }
    for (const { id, ...token } of json.added_tokens) tokens.set(id, token);
  }
  return [...tokens].sort(([a], [b]) => a - b).map(([, token]) => token);
}

/** Added tokens by their text, as the Rust library keeps them. */
class TokenList {
  private readonly byContent = new Map<string, AddedToken>();
  private readonly vocabSize: number;
  private largest = -1;

  constructor(
    private readonly model: VocabularyModel,
    given: readonly AddedToken[],
  ) {
    this.vocabSize = Array.isArray(model.vocab) ? model.vocab.length : Object.keys(model.vocab).length;
    for (const token of given) this.keep(token);
  }

  has(content: string): boolean {
    return this.byContent.has(content);
  }

  /** Adds a token, or gives one that is there other flags. */
  add(token: Token): void {
    const { content } = token;
    if (content === "") return;
    const known = this.byContent.get(content)?.id ?? this.vocabularyId(content);
    this.keep({ normalized: token.special !== true, ...token, id: known ?? Math.max(this.vocabSize, this.largest + 1) });
  }

  /** A named token is left out with `skipSpecialTokens`; a tokenizer of Qwen2 forgets its other flags too. */
  markSpecial(content: string, forgetFlags: boolean): void {
    const token = this.byContent.get(content);
    if (!token) return;
    this.byContent.set(content, forgetFlags ? { id: token.id, content, special: true, normalized: false } : { ...token, special: true });
  }

  tokens(): AddedToken[] {
    return [...this.byContent.values()];
  }

  private keep(token: AddedToken): void {
    this.byContent.set(token.content, token);
    this.largest = Math.max(this.largest, token.id);
  }

  private vocabularyId(token: string): number | undefined {
    const { vocab } = this.model;
    if (!Array.isArray(vocab)) return Object.hasOwn(vocab, token) ? vocab[token] : undefined;
    const index = vocab.findIndex(([text]) => text === token);
    return index === -1 ? undefined : index;
  }
}

/** One more than the largest id of the model's vocabulary and the added tokens. */
export function vocabularySize({ vocab }: VocabularyModel, added: readonly AddedToken[]): number {
  let largest = Array.isArray(vocab) ? vocab.length - 1 : -1;
  if (!Array.isArray(vocab)) for (const token in vocab) if (vocab[token]! > largest) largest = vocab[token]!;
  for (const { id } of added) if (id > largest) largest = id;
  return largest + 1;
}
