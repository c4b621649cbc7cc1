/** What matters of a `config.json`. */
export type ModelJson = Readonly<Record<string, unknown>>;

const qwen2 = { model_type: "qwen2", rms_norm_eps: 1e-6, rope_theta: 1_000_000, max_position_embeddings: 32_768 };
const small = { ...qwen2, vocab_size: 151_936, tie_word_embeddings: true };
const large = { ...qwen2, vocab_size: 152_064, tie_word_embeddings: false };
const shape = (hidden: number, intermediate: number, layers: number, heads: number, keyValueHeads: number): ModelJson => ({
  hidden_size: hidden,
  intermediate_size: intermediate,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: keyValueHeads,
});

/** Shapes of models on the hub, by what their names have in common. */
export const modelShapes: Readonly<Record<string, ModelJson>> = {
  "Qwen2.5 0.5B": { ...small, ...shape(896, 4864, 24, 14, 2) },
  "Qwen2.5 1.5B": { ...small, ...shape(1536, 8960, 28, 12, 2) },
  "DeepSeek-R1-Distill-Qwen 1.5B": {
    ...small,
    ...shape(1536, 8960, 28, 12, 2),
    tie_word_embeddings: false,
    max_position_embeddings: 131_072,
  },
  "Qwen2.5 3B": { ...small, ...shape(2048, 11_008, 36, 16, 2) },
  "Qwen2.5 7B, DeepSeek-R1-Distill-Qwen 7B": { ...large, ...shape(3584, 18_944, 28, 28, 4) },
  "Qwen2.5 14B, DeepSeek-R1-Distill-Qwen 14B": { ...large, ...shape(5120, 13_824, 48, 40, 8) },
  "Qwen2.5 32B, DeepSeek-R1-Distill-Qwen 32B": { ...large, ...shape(5120, 27_648, 64, 40, 8) },
};
