import { malformed, TokenizerError } from "./errors.js";
import { FILE_NAMES, isObject, type JsonObject } from "./files.js";
import { checkPattern } from "./patterns.js";

const FILE = FILE_NAMES.tokenizerJson;

/** The parts of `tokenizer.json` that are made of typed pieces, each under its key. */
export type PartKind = "normalizer" | "pre_tokenizer" | "post_processor" | "decoder";

/** What a field may hold. `parts` are further pieces of the same kind. */
type FieldType = "text" | "flag" | "size" | "count" | "pattern" | "parts" | "token";

/** Fields of a piece; those with a `!` must be there. */
type Fields = Readonly<Record<string, FieldType | `${FieldType}!`>>;

/** Longest text that stands in for a letter: what a normaliser makes of a text is bounded when it runs, this keeps one step of it small. */
const MAX_REPLACEMENT = 256;
/** Pieces inside pieces; transformers writes one level. */
const MAX_LEVELS = 16;
/** Pieces of one sequence; the longest have about ten. */
const MAX_PIECES = 256;

const NORMALIZERS: Readonly<Record<string, Fields>> = {
  BertNormalizer: { clean_text: "flag", handle_chinese_chars: "flag", strip_accents: "flag", lowercase: "flag" },
  Precompiled: {},
  Sequence: { normalizers: "parts!" },
  Replace: { pattern: "pattern!", content: "text" },
  NFC: {},
  NFD: {},
  NFKC: {},
  NFKD: {},
  Strip: { strip_left: "flag", strip_right: "flag" },
  StripAccents: {},
  Lowercase: {},
  Prepend: { prepend: "text!" },
};

const PRE_TOKENIZERS: Readonly<Record<string, Fields>> = {
  BertPreTokenizer: {},
  Sequence: { pretokenizers: "parts!" },
  Whitespace: {},
  WhitespaceSplit: {},
  Metaspace: { replacement: "text", str_rep: "text", prepend_scheme: "text" },
  ByteLevel: { add_prefix_space: "flag", trim_offsets: "flag", use_regex: "flag" },
  Split: { pattern: "pattern!", behavior: "text", invert: "flag" },
  Punctuation: {},
  Digits: { individual_digits: "flag" },
  Replace: { pattern: "pattern!", content: "text" },
  FixedLength: { length: "count!" },
};

const POST_PROCESSORS: Readonly<Record<string, Fields>> = {
  TemplateProcessing: {}, // read by `specialIdsAround`
  ByteLevel: {},
  BertProcessing: { cls: "token!", sep: "token!" },
  RobertaProcessing: { cls: "token!", sep: "token!" },
  Sequence: { processors: "parts!" },
};

const DECODERS: Readonly<Record<string, Fields>> = {
  ByteLevel: {},
  WordPiece: { prefix: "text", cleanup: "flag" },
  Metaspace: { replacement: "text" },
  BPEDecoder: { suffix: "text" },
  CTC: { pad_token: "text", word_delimiter_token: "text", cleanup: "flag" },
  Sequence: { decoders: "parts!" },
  Replace: { pattern: "pattern!", content: "text" },
  Fuse: {},
  Strip: { content: "text", start: "size", stop: "size" },
  ByteFallback: {},
};

const KINDS: Readonly<Record<PartKind, Readonly<Record<string, Fields>>>> = {
  normalizer: NORMALIZERS,
  pre_tokenizer: PRE_TOKENIZERS,
  post_processor: POST_PROCESSORS,
  decoder: DECODERS,
};

/** Checks a piece and those inside it: a known type, and every field that is read of its type. Throws `TokenizerError`. */
export function checkPart(kind: PartKind, part: unknown, where: string = kind, level = 0): asserts part is JsonObject {
  if (level > MAX_LEVELS) throw malformed(FILE, where, `at most ${MAX_LEVELS} levels`, `level ${level}`);
  if (!isObject(part)) throw malformed(FILE, where, "an object with a type", part);
  const { type } = part;
  const fields = typeof type === "string" && Object.hasOwn(KINDS[kind], type) ? KINDS[kind][type] : undefined;
  if (!fields) {
    const known = Object.keys(KINDS[kind]).join(", ");
    throw new TokenizerError(
      `Tokenizer.fromFiles: ${where} of ${FILE} cannot be used (unknown type); expected one of ${known}, got ${typeof type === "string" ? type.slice(0, 60) : typeof type}; take a model with such a tokenizer`,
      { file: FILE },
    );
  }
  for (const [name, declared] of Object.entries(fields)) {
    const required = declared.endsWith("!");
    const value = part[name];
    if (value === undefined || value === null) {
      if (required) throw malformed(FILE, `${where}.${name}`, "a value", value);
      continue;
    }
    checkField(kind, declared.replace("!", "") as FieldType, value, `${where}.${name}`, level);
  }
}

function checkField(kind: PartKind, type: FieldType, value: unknown, where: string, level: number): void {
  switch (type) {
    case "text":
      if (typeof value !== "string") throw malformed(FILE, where, "a text", value);
      if (value.length > MAX_REPLACEMENT) throw malformed(FILE, where, `at most ${MAX_REPLACEMENT} letters`, value.length);
      return;
    case "flag":
      if (typeof value !== "boolean") throw malformed(FILE, where, "true or false", value);
      return;
    case "size":
      if (!Number.isInteger(value) || (value as number) < 0) throw malformed(FILE, where, "a whole number", value);
      return;
    case "count":
      if (!Number.isInteger(value) || (value as number) < 1) throw malformed(FILE, where, "a whole number above 0", value);
      return;
    case "pattern":
      checkPattern(value, where);
      return;
    case "token":
      if (!Array.isArray(value) || typeof value[0] !== "string" || !Number.isInteger(value[1]))
        throw malformed(FILE, where, "[token, id]", value);
      return;
    case "parts":
      if (!Array.isArray(value) || value.length > MAX_PIECES) throw malformed(FILE, where, `a list of at most ${MAX_PIECES} parts`, value);
      value.forEach((part: unknown, index) => checkPart(kind, part, `${where}[${index}]`, level + 1));
  }
}
