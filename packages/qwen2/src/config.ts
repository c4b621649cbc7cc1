import { FormatError } from "@kto/core";
import { readQuantizationConfig } from "@kto/nf4";
import { familyOf } from "./decoder/architecture.js";
import type { DecoderConfig } from "./decoder/config.js";

/** A Qwen2 decoder's shape, from `config.json`. */
export interface Qwen2Config extends DecoderConfig {
  modelType: "qwen2";
}

/** For messages and for choosing the reader of a config. */
export const qwen2Family = { modelType: "qwen2", checkpoints: "Qwen2, Qwen2.5 and DeepSeek-R1-Distill-Qwen" } as const;

/** Largest sizes read from a file; ten times the largest model of the family, so that a bad file cannot ask for absurd memory. */
const limits = {
  vocabSize: 2_000_000,
  hiddenSize: 65_536,
  intermediateSize: 524_288,
  numHiddenLayers: 1_000,
  numAttentionHeads: 1_024,
  maxPositionEmbeddings: 100_000_000,
};

/**
 * Reads the parsed `config.json` of a Qwen2 checkpoint, old spelling (`rope_theta`, `torch_dtype`) and new (`rope_parameters`).
 * Throws FormatError for another architecture, a feature that changes the arithmetic (scaled RoPE, sliding windows), or sizes that do not fit together.
 */
export function readQwen2Config(json: unknown, source = "config.json"): Qwen2Config {
  const { fields } = familyOf(json, source, [qwen2Family]);
  const fail = (what: string): never => {
    throw new FormatError(`config: ${source}: ${what}`, { source });
  };
  const size = (name: string, limit: number, fallback?: number): number => {
    const value = fields[name] ?? fallback;
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > limit) {
      fail(`${name} is not usable; expected an integer from 1 to ${limit}, got ${JSON.stringify(value ?? null)}`);
    }
    return value as number;
  };
  const positive = (name: string, value: unknown): number => {
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0)
      fail(`${name} is not usable; expected a positive number, got ${JSON.stringify(value ?? null)}`);
    return value as number;
  };
  const rope = fields.rope_parameters as Record<string, unknown> | null | undefined;
  const scaling = (fields.rope_scaling ?? undefined) as Record<string, unknown> | undefined;
  for (const [name, value] of [
    ["rope_parameters", rope],
    ["rope_scaling", scaling],
  ] as const) {
    const type = value?.rope_type ?? value?.type;
    if (type !== undefined && type !== "default")
      fail(
        `${name} asks for scaled positions, which this package does not have; expected rope_type "default", got ${JSON.stringify(type)}`,
      );
    if (name === "rope_scaling" && value && type === undefined)
      fail(`${name} is set but has no rope_type; expected null or rope_type "default", got ${JSON.stringify(value)}`);
  }
  if (fields.use_sliding_window === true) fail("use_sliding_window is true, which this package does not have; expected false");
  const layerTypes = fields.layer_types;
  if (Array.isArray(layerTypes) && layerTypes.some((type) => type !== "full_attention")) {
    fail(
      `layer_types has layers without full attention; expected only "full_attention", got ${JSON.stringify(layerTypes.find((type) => type !== "full_attention"))}`,
    );
  }
  if ((fields.hidden_act ?? "silu") !== "silu")
    fail(`hidden_act is not supported; expected "silu", got ${JSON.stringify(fields.hidden_act)}`);
  readQuantizationConfig(fields, source); // throws for what is not NF4 of bitsandbytes

  const hiddenSize = size("hidden_size", limits.hiddenSize);
  const numAttentionHeads = size("num_attention_heads", limits.numAttentionHeads);
  const numKeyValueHeads = size("num_key_value_heads", limits.numAttentionHeads, numAttentionHeads);
  const headDim = size("head_dim", 1_024, hiddenSize / numAttentionHeads);
  if (numAttentionHeads % numKeyValueHeads !== 0)
    fail(`num_attention_heads ${numAttentionHeads} is no multiple of num_key_value_heads ${numKeyValueHeads}`);
  if (headDim % 2 !== 0) fail(`head dimension must be even for rotary positions; got ${headDim}`);
  const eos = fields.eos_token_id;
  return {
    modelType: "qwen2",
    vocabSize: size("vocab_size", limits.vocabSize),
    hiddenSize,
    intermediateSize: size("intermediate_size", limits.intermediateSize),
    numHiddenLayers: size("num_hidden_layers", limits.numHiddenLayers),
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps: positive("rms_norm_eps", fields.rms_norm_eps ?? 1e-6),
    ropeTheta: positive("rope_theta", rope?.rope_theta ?? fields.rope_theta ?? 10_000),
    maxPositionEmbeddings: size("max_position_embeddings", limits.maxPositionEmbeddings, 32_768),
    tieWordEmbeddings: fields.tie_word_embeddings === true,
    eosTokenId: typeof eos === "number" ? eos : Array.isArray(eos) && typeof eos[0] === "number" ? eos[0] : undefined,
  };
}

/** `config.json` as transformers writes it, for a model made by this package. */
export function writeQwen2Config(config: DecoderConfig): Record<string, unknown> {
  return {
    architectures: ["Qwen2ForCausalLM"],
    attention_dropout: 0,
    ...(config.eosTokenId === undefined ? {} : { eos_token_id: config.eosTokenId }),
    hidden_act: "silu",
    hidden_size: config.hiddenSize,
    initializer_range: 0.02,
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.maxPositionEmbeddings,
    model_type: "qwen2",
    num_attention_heads: config.numAttentionHeads,
    num_hidden_layers: config.numHiddenLayers,
    num_key_value_heads: config.numKeyValueHeads,
    rms_norm_eps: config.rmsNormEps,
    rope_theta: config.ropeTheta,
    tie_word_embeddings: config.tieWordEmbeddings,
    torch_dtype: "float32",
    use_cache: true,
    use_sliding_window: false,
    vocab_size: config.vocabSize,
  };
}
