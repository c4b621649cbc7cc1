import { writeQuantizationConfig } from "@kto/nf4";
import { writeQwen2Config, type Qwen2Config } from "@kto/qwen2";

/** Names that Unsloth's skip lists hold for every model, though a Qwen2 model has only the first. */
const genericSkips = ["lm_head", "multi_modal_projector", "merger", "modality_projection"];

/**
 * `config.json` of Unsloth's copies of the distills: the right BOS (the official file names the end of sentence), a pad token, and `quantization_config`
 * for a four-bit one. transformers refuses a threshold that is written as a whole number, as `JSON.stringify` does.
 */
export function modelConfig(config: Qwen2Config, { blocksIn16Bits, plain }: { blocksIn16Bits: string[]; plain: boolean }): string {
  const quantization = writeQuantizationConfig({
    loadIn4bit: true,
    bnb4bitQuantType: "nf4",
    bnb4bitComputeDtype: "bfloat16",
    bnb4bitUseDoubleQuant: true,
    bnb4bitQuantStorage: "uint8",
    llmInt8SkipModules: [...genericSkips, ...blocksIn16Bits],
  });
  const fields: Record<string, unknown> = {
    ...writeQwen2Config(config),
    bos_token_id: 151_646,
    eos_token_id: 151_643,
    max_window_layers: 21,
    pad_token_id: 151_654,
    ...(plain ? {} : { quantization_config: quantization }),
    rope_scaling: null,
    sliding_window: null,
    torch_dtype: "bfloat16",
    transformers_version: "4.48.1",
    unsloth_fixed: true,
    use_mrope: false,
  };
  const sorted = Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, null, 2).replace(/("llm_int8_threshold": \d+)(?=,)/u, "$1.0")}\n`;
}

/** `generation_config.json` of the same copies. */
export const generationConfig = {
  _from_model_config: true,
  bos_token_id: 151_646,
  do_sample: true,
  eos_token_id: 151_643,
  max_length: 131_072,
  pad_token_id: 151_654,
  temperature: 0.6,
  top_p: 0.95,
  transformers_version: "4.48.1",
};
