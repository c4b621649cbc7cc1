import { excerpt } from "@kto/core";
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { TokenizerError } from "./errors.js";
import { FILE_NAMES, type JsonObject } from "./files.js";
import { checkGrowth, limitGrowth } from "./growth.js";
import { withUnicodeCaseFolding } from "./patterns.js";
import { type SpecialIds, specialIdsAround } from "./special-ids.js";
import type { AddedToken, TokenizerJson } from "./tokenizer-json.js";

/** What `tokenizer_config.json` says of encoding. */
export interface EncoderOptions {
  eosToken: string | undefined;
  /** Special tokens in a text are text (`split_special_tokens`). */
  splitsSpecial: boolean;
}

/** The tokenizer library behind checks: what it throws is a `TokenizerError`, what it makes is bounded. */
export class Encoder {
  /** What stands around a text. */
  readonly around: SpecialIds;
  /** Whether tokens are bytes in GPT-2's alphabet. */
  readonly isByteLevel: boolean;
  private readonly library: LibraryTokenizer;

  constructor(json: TokenizerJson, added: readonly AddedToken[], { eosToken, splitsSpecial }: EncoderOptions) {
    const { normalizer, pre_tokenizer: preTokenizer, decoder, post_processor: postProcessor } = json;
    checkGrowth("normalizer", normalizer);
    checkGrowth("pre_tokenizer", preTokenizer);
    checkGrowth("decoder", decoder);
    this.around = specialIdsAround(postProcessor);
    this.isByteLevel = isByteLevel(decoder);
    const matched = splitsSpecial ? added.filter(({ special }) => !special) : added;
    this.library = attempt("Tokenizer.fromFiles", () => {
      const parts = {
        model: json.model,
        normalizer,
        pre_tokenizer: withUnicodeCaseFolding(preTokenizer),
        decoder,
        post_processor: null,
        added_tokens: matched,
      };
      return new LibraryTokenizer(parts, { eos_token: eosToken, clean_up_tokenization_spaces: false });
    });
    const { vocab, tokens_to_ids: ids } = this.library.model as unknown as { vocab: string[]; tokens_to_ids: Map<string, number> };
    for (const { id, content } of added) {
      vocab[id] = content;
      ids.set(content, id);
    }
    limitGrowth(this.library.normalizer);
  }

  /** Ids and tokens of a text, without what stands around it. Throws `TokenizerError`. */
  encode(text: string): { ids: number[]; tokens: string[] } {
    if (typeof text !== "string") throw new TokenizerError(`Tokenizer.encode: expected a text, got ${excerpt(text)}; give a string`);
    const { ids, tokens } = attempt("Tokenizer.encode", () => this.library.encode(text, { add_special_tokens: false }));
    const unknown = ids.findIndex((id) => id === undefined);
    if (unknown !== -1) {
      throw new TokenizerError(
        `Tokenizer.encode: the vocabulary has no token for ${excerpt(tokens[unknown])} and no unk_token; expected either; mend ${FILE_NAMES.tokenizerJson}`,
        { file: FILE_NAMES.tokenizerJson },
      );
    }
    return { ids, tokens };
  }

  /** The text of ids that have tokens, by the decoder of the file. Throws `TokenizerError`. */
  decode(ids: number[]): string {
    return attempt("Tokenizer.decode", () => this.library.decode(ids, { clean_up_tokenization_spaces: false }));
  }

  normalize(text: string): string {
    return attempt("Tokenizer.encode", () => this.library.normalizer?.normalize(text) ?? text);
  }

  idOf(token: string): number | undefined {
    return this.library.token_to_id(token);
  }

  /** The token of an id. Throws `TokenizerError` for what is no whole number. */
  tokenOf(id: number): string | undefined {
    if (!Number.isInteger(id)) throw new TokenizerError(`Tokenizer.decode: expected ids, got ${excerpt(id)}; give whole numbers`);
    return this.library.id_to_token(id);
  }
}

function isByteLevel(decoder: JsonObject | null): boolean {
  if (decoder?.["type"] === "ByteLevel") return true;
  const decoders = decoder?.["type"] === "Sequence" ? (decoder["decoders"] as JsonObject[]) : [];
  return decoders.length === 1 && decoders[0]!["type"] === "ByteLevel";
}

/** Runs the library; what it throws becomes a `TokenizerError` of `tokenizer.json`. */
function attempt<Result>(operation: string, run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof TokenizerError) throw cause;
    const file = FILE_NAMES.tokenizerJson;
    throw new TokenizerError(
      `${operation}: ${file} cannot be used (${excerpt((cause as Error).message, 200)}); expected what the tokenizers library writes; copy the file from the model again`,
      { file, cause },
    );
  }
}
