import { checkPart, type PartKind } from "./check-parts.js";
import { malformed, TokenizerError } from "./errors.js";
import { FILE_NAMES, isObject, type JsonObject } from "./files.js";

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

/** A vocabulary and how it is applied. */
export interface VocabularyModel {
  [key: string]: unknown;
  type: "BPE" | "Unigram" | "WordPiece";
  vocab: Record<string, number> | [string, number][];
}

/** `tokenizer.json`, every value of it that is read checked. */
export interface TokenizerJson {
  [key: string]: unknown;
  added_tokens: AddedToken[];
  model: VocabularyModel;
  normalizer: JsonObject | null;
  pre_tokenizer: JsonObject | null;
  post_processor: JsonObject | null;
  decoder: JsonObject | null;
}

const FILE = FILE_NAMES.tokenizerJson;
/** Largest id of a token; the largest vocabularies have some 260,000. */
const MAX_ID = 2 ** 24;
/** Longest text of an added token: looking for one of length n takes n steps at every letter of a text. The longest are runs of 100 blanks. */
const MAX_ADDED_LENGTH = 1024;
/** Longest word that WordPiece cuts, in time that grows with its square; the default is 100. */
const MAX_WORD = 1000;

/** Checks every part of `tokenizer.json` that is read, and fills in those that may be left out; throws `TokenizerError`. */
export function checkTokenizerJson(json: JsonObject): TokenizerJson {
  const part = (name: PartKind): JsonObject | null => {
    const value = json[name] ?? null;
    if (value !== null) checkPart(name, value);
    return value;
  };
  return {
    model: checkModel(json),
    added_tokens: addedTokensOf(json["added_tokens"] ?? []),
    normalizer: part("normalizer"),
    pre_tokenizer: part("pre_tokenizer"),
    post_processor: part("post_processor"),
    decoder: part("decoder"),
    padding: json["padding"],
  };
}

function addedTokensOf(tokens: unknown): AddedToken[] {
  if (!Array.isArray(tokens)) throw malformed(FILE, "added_tokens", "a list of {id, content, …}", tokens);
  return tokens.map((token: unknown, index) => {
    const where = `added_tokens[${index}]`;
    if (!isObject(token) || !isId(token["id"])) throw malformed(FILE, where, `{id, content, …} with an id below ${MAX_ID}`, token);
    return { ...checkAddedToken(FILE, where, token), id: token["id"] };
  });
}

/** Checks the text and the flags of an added token, wherever it is written. Throws `TokenizerError`. */
export function checkAddedToken(file: string, where: string, token: unknown): Omit<AddedToken, "id"> {
  if (!isObject(token) || typeof token["content"] !== "string") throw malformed(file, where, "a token {content: text, …}", token);
  const { content } = token;
  if (content.length > MAX_ADDED_LENGTH) throw malformed(file, `${where}.content`, `at most ${MAX_ADDED_LENGTH} letters`, content.length);
  const checked: Omit<AddedToken, "id"> = { content };
  for (const flag of ["single_word", "lstrip", "rstrip", "normalized", "special"] as const) {
    const value = token[flag];
    if (value === undefined || value === null) continue;
    if (typeof value !== "boolean") throw malformed(file, `${where}.${flag}`, "true or false", value);
    checked[flag] = value;
  }
  return checked;
}

/** Whether a value may be the id of a token. */
export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_ID;
}

function checkModel(json: JsonObject): VocabularyModel {
  const model = json["model"];
  if (!isObject(model) || typeof model["vocab"] !== "object" || model["vocab"] === null) {
    throw new TokenizerError(
      `Tokenizer.fromFiles: ${FILE} has no vocabulary; expected model.vocab, got keys [${Object.keys(json).slice(0, 20).join(", ").slice(0, 200)}]; take the file of a fast tokenizer`,
      { file: FILE },
    );
  }
  const type = modelType(model);
  if (type === "Unigram") checkPieces(model);
  else checkVocabulary(model["vocab"]);
  if (type === "BPE") checkMerges(model["merges"]);
  checkFields(model);
  return { ...model, type } as VocabularyModel;
}

/** The kind of a vocabulary; a file without a type is told by its contents. */
function modelType(model: JsonObject): VocabularyModel["type"] {
  const type = model["type"];
  if (type === "BPE" || type === "Unigram" || type === "WordPiece") return type;
  if (type === undefined) {
    if (Array.isArray(model["vocab"])) return "Unigram";
    if (model["merges"] !== undefined) return "BPE";
    if (typeof model["continuing_subword_prefix"] === "string") return "WordPiece";
  }
  const shown = typeof type === "string" ? type.slice(0, 40) : typeof type;
  throw new TokenizerError(
    `Tokenizer.fromFiles: model type ${shown} of ${FILE} is not supported; expected one of BPE, Unigram, WordPiece; take a model with such a tokenizer`,
    { file: FILE },
  );
}

function checkVocabulary(vocab: unknown): void {
  if (!isObject(vocab)) throw malformed(FILE, "model.vocab", "an object of ids by token", vocab);
  for (const token of Object.keys(vocab)) {
    if (!isId(vocab[token]))
      throw malformed(FILE, `model.vocab[${JSON.stringify(token.slice(0, 40))}]`, `an id below ${MAX_ID}`, vocab[token]);
  }
}

function checkPieces(model: JsonObject): void {
  const { vocab, unk_id: unkId } = model;
  if (!Array.isArray(vocab) || vocab.length === 0) throw malformed(FILE, "model.vocab", "a list of [token, score], not empty", vocab);
  vocab.forEach((piece: unknown, index) => {
    const isPiece = Array.isArray(piece) && piece.length === 2 && typeof piece[0] === "string" && typeof piece[1] === "number";
    if (!isPiece) throw malformed(FILE, `model.vocab[${index}]`, "[token, score]", piece);
  });
  if (unkId !== undefined && unkId !== null && !(isId(unkId) && unkId < vocab.length))
    throw malformed(FILE, "model.unk_id", `an index below ${vocab.length}`, unkId);
}

function checkMerges(merges: unknown): void {
  if (!Array.isArray(merges)) throw malformed(FILE, "model.merges", "a list of pairs", merges);
  const inPairs = Array.isArray(merges[0]);
  merges.forEach((merge: unknown, index) => {
    const isMerge = inPairs
      ? Array.isArray(merge) && merge.length === 2 && typeof merge[0] === "string" && typeof merge[1] === "string"
      : typeof merge === "string";
    if (!isMerge)
      throw malformed(FILE, `model.merges[${index}]`, inPairs ? "a pair of tokens" : "two tokens with a blank between them", merge);
  });
}

const MODEL_FIELDS: readonly (readonly [name: string, type: "string" | "boolean"])[] = [
  ["unk_token", "string"],
  ["continuing_subword_prefix", "string"],
  ["continuing_subword_suffix", "string"],
  ["end_of_word_suffix", "string"],
  ["fuse_unk", "boolean"],
  ["byte_fallback", "boolean"],
  ["ignore_merges", "boolean"],
];

function checkFields(model: JsonObject): void {
  for (const [name, type] of MODEL_FIELDS) {
    const value = model[name];
    if (value !== undefined && value !== null && typeof value !== type)
      throw malformed(FILE, `model.${name}`, type === "string" ? "a text" : "true or false", value);
  }
  const longest = model["max_input_chars_per_word"];
  if (
    longest !== undefined &&
    longest !== null &&
    !(Number.isInteger(longest) && (longest as number) >= 0 && (longest as number) <= MAX_WORD)
  )
    throw malformed(FILE, "model.max_input_chars_per_word", `a number up to ${MAX_WORD}`, longest);
}
