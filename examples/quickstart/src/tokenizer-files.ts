const specialTokens = ["<|unk|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|end|>"];

/** Every token, by id. */
export const vocabulary: readonly string[] = [...specialTokens, "+", "=", ..."0123456789"];

const chatTemplate = `{%- for message in messages -%}
    {{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<|assistant|>' -}}
{%- endif -%}
`;

/** Files of a tokenizer with a token for each digit, `+` and `=`: byte-pair encoding without a single merge, which transformers loads as well. */
export function tokenizerFiles(): Map<string, string> {
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: "<|unk|>",
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges: [],
    },
  };
  const config = {
    added_tokens_decoder: Object.fromEntries(
      specialTokens.map((content, id) => [
        id,
        { content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
      ]),
    ),
    chat_template: chatTemplate,
    clean_up_tokenization_spaces: false,
    eos_token: "<|end|>",
    model_max_length: 64,
    pad_token: "<|pad|>",
    tokenizer_class: "PreTrainedTokenizerFast",
    unk_token: "<|unk|>",
  };
  return new Map([
    ["tokenizer.json", json(tokenizer)],
    ["tokenizer_config.json", json(config)],
    ["special_tokens_map.json", json({ eos_token: "<|end|>", pad_token: "<|pad|>", unk_token: "<|unk|>" })],
  ]);
}

/** JSON as it is written to disk; a list of one word stays on its line, as the formatter has it. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2).replace(/\[\s+("[^"]*")\s+\]/g, "[$1]")}\n`;
}
