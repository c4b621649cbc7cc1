import { excerpt, FormatError } from "@kto/core";
import type { MetadataValue } from "../container/metadata.js";
import { fieldsOf } from "../json-fields.js";
import type { MixModel } from "../mix.js";
import { ropeMetadata } from "./rope-scaling.js";

/** Sizes of a Qwen2 model, as far as names, shapes and mixes of its tensors go. */
export interface Qwen2Sizes extends MixModel {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly headDim: number;
  readonly tieWordEmbeddings: boolean;
}

/** Largest number that a u32 of the metadata holds. */
const MAX_U32 = 2 ** 32 - 1;

/** Context of a config that says nothing, as in transformers. */
const DEFAULT_CONTEXT = 32_768;

/**
 * The sizes of a Qwen2 model and its hyper-parameters in a GGUF file, in the order of llama.cpp's converter.
 *
 * @param json  a parsed config.json
 * @throws FormatError for another architecture, a value that is none of its field, and what a GGUF file of Qwen2 cannot say: scalings of positions other than linear and YaRN,
 *   windows of attention
 */
export function hyperParameters(json: unknown): { sizes: Qwen2Sizes; metadata: [string, MetadataValue][] } {
  const config = fieldsOf(json);
  const fail = (problem: string): never => {
    throw new FormatError(`exportGguf: config.json: ${problem}`, { source: "config.json" });
  };
  const size = (name: string, fallback?: number): number => {
    const value = config[name] ?? fallback;
    if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= MAX_U32) return value as number;
    return fail(`${name} is not usable; expected a whole number from 1, got ${excerpt(value ?? null)}`);
  };
  if (config["model_type"] !== "qwen2")
    fail(
      `another architecture; expected model_type "qwen2", got ${excerpt(config["model_type"] ?? null)}; other models are not written as GGUF here`,
    );
  if ((config["hidden_act"] ?? "silu") !== "silu")
    fail(`hidden_act cannot be said in a GGUF file of Qwen2; expected "silu", got ${excerpt(config["hidden_act"])}`);

  const hiddenSize = size("hidden_size");
  const numAttentionHeads = size("num_attention_heads");
  const numKeyValueHeads = size("num_key_value_heads", numAttentionHeads);
  const maxPositionEmbeddings = size("max_position_embeddings", DEFAULT_CONTEXT);
  const headDim = size("head_dim", hiddenSize / numAttentionHeads);
  if (numAttentionHeads % numKeyValueHeads !== 0)
    fail(`num_attention_heads ${numAttentionHeads} is no multiple of num_key_value_heads ${numKeyValueHeads}`);
  expectNoWindow(config, maxPositionEmbeddings, fail);
  const eps = config["rms_norm_eps"] ?? 1e-6;
  if (!(typeof eps === "number" && Number.isFinite(eps) && eps > 0))
    fail(`rms_norm_eps is not usable; expected a positive number, got ${excerpt(eps)}`);
  const { ropeTheta, scaling } = ropeMetadata({ config, maxPositionEmbeddings, fail });
  const sizes: Qwen2Sizes = {
    vocabSize: size("vocab_size"),
    hiddenSize,
    intermediateSize: size("intermediate_size"),
    headDim,
    numHiddenLayers: size("num_hidden_layers"),
    numAttentionHeads,
    numKeyValueHeads,
    tieWordEmbeddings: config["tie_word_embeddings"] === true,
  };
  const u32 = (name: string, value: number): [string, MetadataValue] => [`qwen2.${name}`, { type: "u32", value }];
  const f32 = (name: string, value: number): [string, MetadataValue] => [`qwen2.${name}`, { type: "f32", value }];
  const hasHeadDim = (config["head_dim"] ?? null) !== null;
  return {
    sizes,
    metadata: [
      u32("block_count", sizes.numHiddenLayers),
      u32("context_length", maxPositionEmbeddings),
      u32("embedding_length", hiddenSize),
      u32("feed_forward_length", sizes.intermediateSize),
      u32("attention.head_count", numAttentionHeads),
      u32("attention.head_count_kv", numKeyValueHeads),
      ...scaling,
      f32("rope.freq_base", ropeTheta),
      f32("attention.layer_norm_rms_epsilon", eps as number),
      ...(hasHeadDim ? [u32("attention.key_length", headDim), u32("attention.value_length", headDim)] : []),
    ],
  };
}

/** Throws for a window that rows can outgrow: llama.cpp reads none for Qwen2, and would let every token see all before it. */
function expectNoWindow(config: ReturnType<typeof fieldsOf>, maxPositionEmbeddings: number, fail: (problem: string) => never): void {
  const window = config["sliding_window"] ?? null;
  if (config["use_sliding_window"] !== true || window === null) return;
  if (typeof window === "number" && window >= maxPositionEmbeddings) return;
  const full = config["max_window_layers"];
  if (typeof full === "number" && full >= Number(config["num_hidden_layers"])) return; // layers before this one see everything
  fail(
    `use_sliding_window cannot be said in a GGUF file of Qwen2; expected false, or a sliding_window of at least max_position_embeddings (${maxPositionEmbeddings}), got ${excerpt(window)}`,
  );
}
