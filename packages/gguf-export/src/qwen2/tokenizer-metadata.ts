import { ArgumentError, excerpt } from "@kto/core";
import type { MetadataValue } from "../container/metadata.js";
import { type Fields, fieldsOf } from "../json-fields.js";
import { chatTemplateMetadata } from "./chat-template.js";
import { readVocabulary, tokenizerError, type Vocabulary } from "./vocabulary.js";

/** The files of a tokenizer, parsed. What a model does not have is left out. */
export interface TokenizerFiles {
  readonly tokenizerJson: unknown;
  readonly tokenizerConfig?: unknown;
  /** config.json, whose ids count where the tokenizer names no token. */
  readonly config?: unknown;
  /** Text of chat_template.jinja. */
  readonly chatTemplateJinja?: string | undefined;
  /** chat_template.json. */
  readonly chatTemplateJson?: unknown;
}

/** How Qwen2 cuts a text, as its tokenizer.json spells it. */
const QWEN2_PATTERN =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Keys of the special tokens; the third is spelt so. */
const specialKeys = [
  ["bos", "bos"],
  ["eos", "eos"],
  ["unk", "unknown"],
  ["sep", "seperator"],
  ["pad", "padding"],
  ["mask", "mask"],
] as const;

/**
 * Everything that a GGUF file says of a Qwen2 tokenizer, in the order of llama.cpp's converter: tokens with their types, merges, the name of the pre-tokenizer,
 * special ids, whether BOS and EOS are added, and the chat template.
 *
 * @param vocabSize  rows of the embedding
 * @throws FormatError for a tokenizer that is none of Qwen2's, or whose tokens and embedding do not fit together
 */
export function tokenizerMetadata(files: TokenizerFiles, vocabSize: number): [string, MetadataValue][] {
  if (!Number.isSafeInteger(vocabSize) || vocabSize < 1) {
    throw new ArgumentError({
      operation: "tokenizerMetadata",
      problem: "vocabSize is not usable",
      expected: "the rows of the embedding, a whole number from 1",
      got: excerpt(vocabSize),
    });
  }
  const tokenizerJson = fieldsOf(files.tokenizerJson);
  if (Object.keys(tokenizerJson).length === 0)
    throw tokenizerError(
      `there is no tokenizer; expected the content of tokenizer.json, got ${excerpt(files.tokenizerJson ?? null)}; copy it from the model that this one was made from`,
    );
  const tokenizerConfig = fieldsOf(files.tokenizerConfig);
  expectQwen2Pattern(tokenizerJson["pre_tokenizer"]);
  const vocabulary = readVocabulary(tokenizerJson, tokenizerConfig, vocabSize);
  const flags = addedAround(tokenizerJson["post_processor"], tokenizerConfig);
  const text = (value: string): MetadataValue => ({ type: "string", value });
  return [
    ["tokenizer.ggml.model", text("gpt2")],
    ["tokenizer.ggml.pre", text(flags.bos ? "deepseek-r1-qwen" : "qwen2")],
    ["tokenizer.ggml.tokens", { type: "array", of: "string", value: vocabulary.tokens }],
    ["tokenizer.ggml.token_type", { type: "array", of: "i32", value: vocabulary.types }],
    ["tokenizer.ggml.merges", { type: "array", of: "string", value: vocabulary.merges }],
    ...specialIds(vocabulary, tokenizerConfig, fieldsOf(files.config)),
    ["tokenizer.ggml.add_bos_token", { type: "bool", value: flags.bos }],
    ["tokenizer.ggml.add_eos_token", { type: "bool", value: flags.eos }],
    ...chatTemplateMetadata(tokenizerConfig["chat_template"], files.chatTemplateJinja, fieldsOf(files.chatTemplateJson)["chat_template"]),
  ];
}

/** Throws for a tokenizer that cuts texts in another way: llama.cpp has a name for each way that it knows, and would cut by another. */
function expectQwen2Pattern(preTokenizer: unknown): void {
  const { type, pretokenizers } = fieldsOf(preTokenizer);
  const steps = type === "Sequence" && Array.isArray(pretokenizers) ? pretokenizers.map(fieldsOf) : [fieldsOf(preTokenizer)];
  const split = steps.find((step) => step["type"] === "Split");
  const pattern = fieldsOf(split?.["pattern"])["Regex"];
  const last = steps.at(-1)!;
  if (pattern === QWEN2_PATTERN && steps.length === 2 && last["type"] === "ByteLevel" && last["use_regex"] === false) return;
  const got = pattern === undefined || pattern === QWEN2_PATTERN ? excerpt(preTokenizer, 240) : excerpt(pattern, 240);
  throw tokenizerError(
    `the pre-tokenizer is not Qwen2's; expected the pattern ${QWEN2_PATTERN}, got ${got}; llama.cpp would cut texts in another way`,
  );
}

/** Ids of special tokens: by the text that the tokenizer names, else the number of config.json. Ids beyond the embedding are left out. */
function specialIds({ tokens, addedIds }: Vocabulary, tokenizerConfig: Fields, config: Fields): [string, MetadataValue][] {
  return specialKeys.flatMap(([kind, key]): [string, MetadataValue][] => {
    const id = addedIds.get(tokenText(tokenizerConfig[`${kind}_token`]) ?? "") ?? config[`${kind}_token_id`];
    if (!Number.isSafeInteger(id) || (id as number) < 0 || (id as number) >= tokens.length) return [];
    return [[`tokenizer.ggml.${key}_token_id`, { type: "u32", value: id as number }]];
  });
}

/** Whether the tokenizer puts BOS before a text and EOS after it: by its post-processor, and by a flag of tokenizer_config.json above it. */
function addedAround(postProcessor: unknown, tokenizerConfig: Fields): { bos: boolean; eos: boolean } {
  const { type, processors } = fieldsOf(postProcessor);
  const steps = type === "Sequence" && Array.isArray(processors) ? processors.map(fieldsOf) : [fieldsOf(postProcessor)];
  const single = steps.find((step) => step["type"] === "TemplateProcessing")?.["single"];
  const items = Array.isArray(single) && single.length > 1 ? single.map((item) => fieldsOf(fieldsOf(item)["SpecialToken"])["id"]) : [];
  const flag = (kind: "bos" | "eos", item: unknown): boolean => {
    const given = tokenizerConfig[`add_${kind}_token`];
    if (typeof given === "boolean") return given;
    return item !== undefined && item === tokenText(tokenizerConfig[`${kind}_token`]);
  };
  return { bos: flag("bos", items[0]), eos: flag("eos", items.at(-1)) };
}

/** A special token is a text, or an object with one. */
function tokenText(token: unknown): string | undefined {
  const text = typeof token === "string" ? token : fieldsOf(token)["content"];
  return typeof text === "string" ? text : undefined;
}
