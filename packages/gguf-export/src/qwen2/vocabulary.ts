import { excerpt, FormatError } from "@kto/core";
import { type Fields, fieldsOf } from "../json-fields.js";

/** Types of tokens in a GGUF file. Control tokens are not printed by llama.cpp, so that thinking tags must not be among them. */
export const tokenTypes = { normal: 1, control: 3, userDefined: 4, unused: 5 } as const;

/** The vocabulary of a GGUF file: one text and one type for each row of the embedding, and the merges. */
export interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: Int32Array<ArrayBuffer>;
  /** "left right". */
  readonly merges: readonly string[];
  /** Ids of the added tokens by their text. */
  readonly addedIds: ReadonlyMap<string, number>;
}

/** The error of a file that is not what it should be. */
export function tokenizerError(problem: string): FormatError {
  return new FormatError(`tokenizerMetadata: ${problem}`, { source: "tokenizer.json" });
}

/**
 * Reads `model` and `added_tokens` of tokenizer.json, and `added_tokens_decoder` of tokenizer_config.json. Rows of the embedding that no token has are
 * padded with `[PAD<id>]`.
 *
 * @param vocabSize  rows of the embedding
 * @throws FormatError for another kind of tokenizer, ids beyond the embedding, texts that are there twice, and merges that are missing
 */
export function readVocabulary(tokenizerJson: Fields, tokenizerConfig: Fields, vocabSize: number): Vocabulary {
  const model = fieldsOf(tokenizerJson["model"]);
  if (model["type"] !== "BPE") throw tokenizerError(`another kind of tokenizer; expected model.type "BPE", got ${excerpt(model["type"])}`);
  const tokens: (string | undefined)[] = new Array<undefined>(vocabSize).fill(undefined);
  const types = new Int32Array(vocabSize).fill(tokenTypes.unused);
  const place = (text: string, id: unknown, type: number): void => {
    if (!Number.isSafeInteger(id) || (id as number) < 0 || (id as number) >= vocabSize) {
      throw tokenizerError(
        `token ${excerpt(text)} has no row in the embedding; expected an id below ${vocabSize}, got ${excerpt(id)}; resize the embedding or take the model's own tokenizer`,
      );
    }
    tokens[id as number] = text;
    types[id as number] = type;
  };
  for (const [text, id] of Object.entries(fieldsOf(model["vocab"]))) {
    const before = tokens[id as number];
    if (before !== undefined)
      throw tokenizerError(`two tokens have id ${excerpt(id)}; expected one, got ${excerpt(before)} and ${excerpt(text)}`);
    place(text, id, tokenTypes.normal);
  }
  const addedIds = new Map<string, number>();
  for (const { id, content, special } of addedTokens(tokenizerJson, tokenizerConfig)) {
    const isControl = special || looksSpecial(content);
    place(isControl ? content : content.replaceAll("\u2581", " "), id, isControl ? tokenTypes.control : tokenTypes.userDefined);
    addedIds.set(content, id as number);
  }
  const padded = tokens.map((text, id) => text ?? `[PAD${id}]`);
  const seen = new Map<string, number>();
  for (const [id, text] of padded.entries()) {
    const before = seen.get(text);
    if (before !== undefined) {
      throw tokenizerError(`two tokens have one text, which ends llama.cpp; expected ${excerpt(text)} once, got it as ${before} and ${id}`);
    }
    seen.set(text, id);
  }
  return { tokens: padded, types, merges: readMerges(model["merges"]), addedIds };
}

/** Those of tokenizer.json, and those that only tokenizer_config.json has. */
function addedTokens(tokenizerJson: Fields, tokenizerConfig: Fields): { id: unknown; content: string; special: boolean }[] {
  const listed = Array.isArray(tokenizerJson["added_tokens"]) ? tokenizerJson["added_tokens"].map(fieldsOf) : [];
  const decoder = Object.entries(fieldsOf(tokenizerConfig["added_tokens_decoder"])).map(([id, token]): Fields => ({
    ...fieldsOf(token),
    id: Number(id),
  }));
  const known = new Set(listed.map(({ id }) => id));
  return [...listed, ...decoder.filter(({ id }) => !known.has(id))].map(({ id, content, special }) => {
    if (typeof content !== "string")
      throw tokenizerError(`added token ${excerpt(id)} has no text; expected content, got ${excerpt(content)}`);
    return { id, content, special: special === true };
  });
}

/** As llama.cpp's converter takes tokens for control tokens that are not flagged so. */
function looksSpecial(text: string): boolean {
  return /^<\|.*\|>$|^<｜.*｜>$|^<unused.*>$/s.test(text) || ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].includes(text);
}

/** Merges as texts, or as pairs, which transformers writes since 4.45. */
function readMerges(merges: unknown): string[] {
  if (!Array.isArray(merges))
    throw tokenizerError(`no merges; expected a list at model.merges, got ${excerpt(merges)}; llama.cpp does not load a model without`);
  return merges.map((merge: unknown, index) => {
    const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (Array.isArray(parts) && parts.length === 2 && parts.every((part) => typeof part === "string" && part !== "")) {
      return (parts as string[]).map((part) => part.replaceAll(" ", "\u0120")).join(" ");
    }
    throw tokenizerError(`merge ${index} is not usable; expected "left right" or two texts, got ${excerpt(merge)}`);
  });
}
