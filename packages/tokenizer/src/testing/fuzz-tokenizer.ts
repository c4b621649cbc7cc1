import { Tokenizer, type TokenizerFiles } from "../index.js";
import type { MutatingReader, Randomness } from "../../../testing/src/fuzzed-reader.js";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const BYTE_LEVEL: Json = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const vocabulary = (...tokens: string[]): Record<string, number> => Object.fromEntries(tokens.map((token, id) => [token, id]));
const added = (id: number, content: string, special: boolean): Json => ({
  id,
  content,
  special,
  lstrip: false,
  rstrip: false,
  normalized: !special,
  single_word: false,
});

/** A model's files, small, each under its property of `TokenizerFiles`: byte pairs with everything around them, Unigram and WordPiece. */
const MODELS: readonly Record<string, Json>[] = [
  {
    tokenizerJson: {
      version: "1.0",
      added_tokens: [added(8, "<s>", true), added(9, "</s>", true), added(10, "<think>", false)],
      normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "Replace", pattern: { String: "b" }, content: "a" }] },
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [{ type: "Split", pattern: { Regex: "\\s+|\\p{L}+|." }, behavior: "Isolated", invert: false }, BYTE_LEVEL],
      },
      post_processor: {
        type: "Sequence",
        processors: [
          BYTE_LEVEL,
          {
            type: "TemplateProcessing",
            single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
            pair: [],
            special_tokens: { "<s>": { id: "<s>", ids: [8], tokens: ["<s>"] } },
          },
        ],
      },
      decoder: { type: "ByteLevel" },
      model: {
        type: "BPE",
        unk_token: null,
        byte_fallback: false,
        vocab: vocabulary("a", "b", "Ġ", "aa", "Ġa", "c", "é", "aaa"),
        merges: [
          ["a", "a"],
          ["Ġ", "a"],
          ["aa", "a"],
        ],
      },
    },
    tokenizerConfig: {
      bos_token: { __type: "AddedToken", content: "<s>" },
      eos_token: "</s>",
      pad_token: null,
      add_bos_token: true,
      additional_special_tokens: ["<think>"],
      added_tokens_decoder: { "8": { content: "<s>", special: true }, "11": { content: "<new>", lstrip: true } },
      chat_template: [{ name: "default", template: "{{ messages[0].content }}{{ eos_token }}" }],
      model_max_length: 99,
    },
    specialTokensMap: { eos_token: { content: "</s>" }, extra_special_tokens: { image_token: "<img>" } },
    addedTokens: { "<late>": 12 },
    generationConfig: { eos_token_id: [9, 8], pad_token_id: 9 },
    modelConfig: { model_type: "other" },
  },
  {
    tokenizerJson: {
      added_tokens: [added(0, "<unk>", true)],
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "▁" },
          { type: "Replace", pattern: { Regex: " {2,}" }, content: "▁" },
        ],
      },
      pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first" },
      post_processor: { type: "BertProcessing", cls: ["▁", 1], sep: ["<unk>", 0] },
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: "▁" }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          { type: "Strip", content: " ", start: 1, stop: 0 },
        ],
      },
      model: {
        type: "Unigram",
        unk_id: 0,
        vocab: [
          ["<unk>", 0],
          ["▁", -1],
          ["a", -2],
          ["▁a", -1.5],
          ["b", -3],
        ],
      },
      padding: { strategy: "BatchLongest", pad_token: "<unk>" },
    },
    tokenizerConfig: { unk_token: "<unk>", clean_up_tokenization_spaces: true, split_special_tokens: true },
    chatTemplate: "{% for m in messages %}{{ m.content }}{% endfor %}",
    additionalChatTemplates: { tool_use: "{{ tools }}" },
  },
  {
    tokenizerJson: {
      added_tokens: [],
      normalizer: { type: "BertNormalizer", lowercase: true, strip_accents: null, clean_text: true, handle_chinese_chars: true },
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: { type: "RobertaProcessing", cls: ["[CLS]", 1], sep: ["[SEP]", 2] },
      decoder: { type: "WordPiece", prefix: "##", cleanup: true },
      model: {
        type: "WordPiece",
        unk_token: "[UNK]",
        continuing_subword_prefix: "##",
        max_input_chars_per_word: 100,
        vocab: vocabulary("[UNK]", "[CLS]", "[SEP]", "a", "##a", "b", ","),
      },
    },
    tokenizerConfig: { tokenizer_class: "BertTokenizer", cls_token: "[CLS]", max_len: 7 },
  },
];

/** The first model with parts of its `tokenizer.json` changed. */
const withParts = (parts: Record<string, Json>): Record<string, Json> => ({
  tokenizerJson: { ...(MODELS[0]!["tokenizerJson"] as Record<string, Json>), ...parts },
});
const vocabularies: Json[] = [
  { type: "Unigram", vocab: [5] },
  { type: "Unigram", vocab: [null] },
  { type: "Unigram", vocab: [{}] },
  ...["x", 1.5, -1, 1e300].map((id): Json => ({ type: "BPE", vocab: { a: id }, merges: [] })),
];
const sixty = (part: Json): Json[] => Array.from({ length: 60 }, () => part);
const items: Json[] = [null, "A", 5, {}, { SpecialToken: null }];

/** What once was no typed error, hung, or used up the memory: changes of the first model. */
const ONCE_BROKEN: readonly Record<string, Json>[] = [
  { tokenizerConfig: { added_tokens_decoder: { "9": { content: { length: 1e9 } } } } },
  { tokenizerConfig: { added_tokens_decoder: { "0": null } } },
  { tokenizerConfig: { chat_template: [null] } },
  { tokenizerConfig: { chat_template: [{ name: "default", template: 5 }] } },
  { tokenizerConfig: { eos_token: { content: { length: 1e9 } } } },
  ...vocabularies.map((model) => withParts({ model })),
  ...items.map((item) => withParts({ post_processor: { type: "TemplateProcessing", single: [item], pair: [], special_tokens: {} } })),
  withParts({ normalizer: { type: "Sequence", normalizers: sixty({ type: "Replace", pattern: { String: "." }, content: "aa" }) } }),
  withParts({ pre_tokenizer: { type: "Sequence", pretokenizers: sixty(BYTE_LEVEL) } }),
  withParts({ decoder: { type: "Sequence", decoders: sixty({ type: "Replace", pattern: { String: "a" }, content: "aa" }) } }),
  withParts({ pre_tokenizer: { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Isolated" } }),
  withParts({ pre_tokenizer: { type: "FixedLength", length: 0 } }),
];

const NASTY: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1,
  0.5,
  1e9,
  1e21,
  2 ** 31,
  -0,
  "",
  "a",
  "\0",
  "\ud800",
  "__proto__",
  "constructor",
  "<s>",
  "▁",
  "a".repeat(3000),
  [],
  {},
  [null],
  [[]],
  { length: 1e9 },
  { content: null },
  { type: "Sequence" },
  { toString: 1 },
  { type: { toString: null } },
];

const encoder = new TextEncoder();
const asText = (input: Uint8Array): string => new TextDecoder().decode(input);

/** Tokenizer files: read, and a text encoded, decoded and rendered with what came of them. An input is a JSON object of files. */
export const tokenizerReader: MutatingReader = {
  name: "tokenizer",
  // What is sound is damaged more often than what is broken already.
  seeds: () =>
    [
      ...MODELS,
      ...ONCE_BROKEN.map((change) => ({ ...MODELS[0], ...change })),
      ...Array.from({ length: 20 }, (_, index) => MODELS[index % MODELS.length]),
    ].map((files) => encoder.encode(JSON.stringify(files))),
  mutate(seed, random) {
    const files = JSON.parse(asText(seed)) as { [key: string]: Json };
    for (let step = random.chance(0.25) ? 1 + random.below(4) : 1; step > 0; step--) damage(files, random);
    const text = JSON.stringify(files);
    if (random.chance(0.95)) return encoder.encode(text);
    const at = random.below(text.length); // now and then the text itself
    const piece = random.pick(["", "{", '"', "\u0000", "9".repeat(400), "[".repeat(9000)]);
    return encoder.encode(text.slice(0, at) + piece + text.slice(at + random.below(4)));
  },
  read(input) {
    const files = filesOf(input);
    const tokenizer = Tokenizer.fromFiles(files);
    const results: unknown[] = [tokenizer.files(), tokenizer.eosTokenIds, tokenizer.vocabSize];
    const errors: unknown[] = [];
    for (const run of [
      () => tokenizer.decode(tokenizer.encode("aab a<think> é😀 <s>b.,  c")),
      () => tokenizer.decode(tokenizer.encode("a".repeat(2000)), { skipSpecialTokens: true }),
      () => tokenizer.decode([0, 1, 2, 3, 8, 9, 10, 11, 12, 500]),
      () => tokenizer.applyChatTemplate([{ role: "user", content: "a b" }], { tools: [{ a: 1 }], addGenerationPrompt: true }),
      () => tokenizer.applyChatTemplateWithMask([{ role: "user", content: "a b" }]),
    ]) {
      try {
        results.push(run());
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors.find((error) => (error as { code?: unknown }).code === undefined) ?? errors[0];
    return results;
  },
};

/** The files of an input: one that is no JSON is a `tokenizer.json` as it is. */
function filesOf(input: Uint8Array): TokenizerFiles {
  try {
    const files = JSON.parse(asText(input)) as TokenizerFiles;
    if (typeof files === "object" && files !== null && "tokenizerJson" in files) return files;
  } catch {
    return { tokenizerJson: input };
  }
  return { tokenizerJson: input };
}

/** Changes one place of a JSON value, which may be any level down. */
function damage(root: { [key: string]: Json }, random: Randomness): void {
  let holder: Json[] | { [key: string]: Json } = root;
  for (;;) {
    const keys: string[] = Object.keys(holder);
    if (keys.length === 0) return;
    const key: string = random.pick(keys);
    const value: Json = (holder as { [key: string]: Json })[key]!;
    if (typeof value !== "object" || value === null || random.chance(0.15)) {
      damagePlace(root, holder, key, random);
      return;
    }
    holder = value;
  }
}

/** One of its own, which later damage may change. */
function nasty(random: Randomness): Json {
  return structuredClone(random.pick(NASTY));
}

function damagePlace(root: Json, holder: Json[] | { [key: string]: Json }, key: string, random: Randomness): void {
  const place = holder as { [key: string]: Json };
  const value = place[key]!;
  switch (random.below(10)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete place[key];
      return;
    case 1:
      place[key] = Array.from({ length: 2 + random.below(5) }, () => value);
      return;
    case 2:
      if (Array.isArray(holder)) holder.push(...Array.from({ length: 1 + random.below(70) }, () => value));
      else place[`${key}${random.below(9)}`] = value;
      return;
    case 3:
      if (typeof value === "string") place[key] = value.repeat(1 + random.below(500));
      else place[key] = typeof value === "number" ? value * random.pick([-1, 1e6, 0.5]) : nasty(random);
      return;
    case 4:
      place[key] = place[random.pick(Object.keys(holder))]!;
      return;
    case 5:
    case 6:
    case 7: {
      const alike = leaves(root).filter((other) => typeof other === typeof value);
      place[key] = alike.length > 0 ? random.pick(alike) : nasty(random);
      return;
    }
    default:
      place[key] = nasty(random);
  }
}

/** Every value inside another that holds none itself. */
function leaves(value: Json): Json[] {
  return typeof value === "object" && value !== null ? Object.values(value).flatMap((inner) => leaves(inner)) : [value];
}
