import type { TokenizerJson } from "./tokenizer-json.js";
import type { JsonObject } from "./files.js";

/** How every tokenizer of Qwen2 cuts a text, whatever its `tokenizer.json` says. */
const PRE_TOKENIZER: JsonObject = {
  type: "Sequence",
  pretokenizers: [
    {
      type: "Split",
      pattern: {
        Regex:
          "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      },
      behavior: "Isolated",
      invert: false,
    },
    { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
};

/** Whether transformers 5.24 makes a `Qwen2Tokenizer` of these files: for a model of this type always, whatever class the files name. */
export function isQwen2Tokenizer(config: JsonObject, modelConfig: JsonObject, { model }: TokenizerJson): boolean {
  if (model.type !== "BPE") return false;
  const type = modelConfig["model_type"];
  const named = config["tokenizer_class"];
  return typeof type === "string" ? type === "qwen2" : named === "Qwen2Tokenizer" || named === "Qwen2TokenizerFast";
}

/** `tokenizer.json` as a `Qwen2Tokenizer` reads it: vocabulary, merges and post-processor are the file's, the rest is the class's. */
export function asQwen2(json: TokenizerJson): TokenizerJson {
  const { vocab, merges } = json.model;
  return {
    ...json,
    model: { type: "BPE", vocab, merges, unk_token: null, fuse_unk: false, byte_fallback: false },
    normalizer: { type: "NFC" },
    pre_tokenizer: PRE_TOKENIZER,
    decoder: { type: "ByteLevel" },
  };
}
