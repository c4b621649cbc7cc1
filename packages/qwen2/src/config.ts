import { excerpt, FormatError } from "@kto/core";
import { readQuantizationConfig } from "@kto/nf4";
import { familyOf } from "./decoder/architecture.js";
import type { DecoderConfig } from "./decoder/config.js";
import { readRope, writeRope } from "./decoder/rope-config.js";
import { readSlidingWindow } from "./decoder/sliding-window.js";

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
 * Reads the parsed `config.json` of a Qwen2 checkpoint, old spelling (`rope_theta`, `rope_scaling`, `torch_dtype`) and new (`rope_parameters`).
 * Fields that change nothing in such a model are read past. Throws FormatError for another architecture, a value that is none of its field, a feature that
 * changes the arithmetic and is not there, or sizes that do not fit together.
 */
export function readQwen2Config(json: unknown, source = "config.json"): Qwen2Config {
  const { fields } = familyOf(json, source, [qwen2Family]);
  const fail = (what: string): never => {
    throw new FormatError(`config: ${source}: ${what}`, { source });
  };
  const size = (name: string, limit: number, fallback?: number): number => {
    const value = fields[name] ?? fallback;
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > limit) {
      fail(`${name} is not usable; expected an integer from 1 to ${limit}, got ${excerpt(value ?? null)}`);
    }
    return value as number;
  };
  const positive = (name: string, value: unknown): number => {
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0)
      fail(`${name} is not usable; expected a positive number, got ${excerpt(value ?? null)}`);
    return value as number;
  };
  const isTied = fields.tie_word_embeddings ?? false;
  if (typeof isTied !== "boolean") fail(`tie_word_embeddings is not usable; expected true or false, got ${excerpt(isTied)}`);
  if ((fields.per_layer_config ?? undefined) !== undefined)
    fail(
      `per_layer_config makes layers of several kinds, which this package does not have; expected none, got ${excerpt(fields.per_layer_config)}`,
    );
  if ((fields.hidden_act ?? "silu") !== "silu") fail(`hidden_act is not supported; expected "silu", got ${excerpt(fields.hidden_act)}`);
  readQuantizationConfig(fields, source); // throws for what is not NF4 of bitsandbytes

  const hiddenSize = size("hidden_size", limits.hiddenSize);
  const numAttentionHeads = size("num_attention_heads", limits.numAttentionHeads);
  const numKeyValueHeads = size("num_key_value_heads", limits.numAttentionHeads, numAttentionHeads);
  const headDim = size("head_dim", 1_024, hiddenSize / numAttentionHeads);
  if (numAttentionHeads % numKeyValueHeads !== 0)
    fail(`num_attention_heads ${numAttentionHeads} is no multiple of num_key_value_heads ${numKeyValueHeads}`);
  if (headDim % 2 !== 0) fail(`head dimension must be even for rotary positions; got ${headDim}`);
  const maxPositionEmbeddings = size("max_position_embeddings", limits.maxPositionEmbeddings, 32_768);
  const numHiddenLayers = size("num_hidden_layers", limits.numHiddenLayers);
  const eos = fields.eos_token_id;
  return {
    modelType: "qwen2",
    vocabSize: size("vocab_size", limits.vocabSize),
    hiddenSize,
    intermediateSize: size("intermediate_size", limits.intermediateSize),
    numHiddenLayers,
    numAttentionHeads,
    numKeyValueHeads,
    headDim,
    rmsNormEps: positive("rms_norm_eps", fields.rms_norm_eps ?? 1e-6),
    ...readRope(fields, { headDim, maxPositionEmbeddings, fail }),
    maxPositionEmbeddings,
    slidingWindow: readSlidingWindow(fields, { numHiddenLayers, fail }),
    tieWordEmbeddings: isTied as boolean,
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
    ...writeRope(config),
    tie_word_embeddings: config.tieWordEmbeddings,
    torch_dtype: "float32",
    use_cache: true,
    ...(config.slidingWindow === undefined
      ? { use_sliding_window: false }
      : { max_window_layers: 0, sliding_window: config.slidingWindow, use_sliding_window: true }),
    vocab_size: config.vocabSize,
  };
}
