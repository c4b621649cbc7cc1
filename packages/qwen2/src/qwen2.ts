import type { ByteDirectory } from "@kto/core";
import type { Device, FloatDtype, Tensor } from "@kto/tensor";
import { qwen2Family, readQwen2Config, writeQwen2Config, type Qwen2Config } from "./config.js";
import type { DecoderArchitecture, Projection } from "./decoder/architecture.js";
import type { DecoderConfig } from "./decoder/config.js";
import { initialWeights, type InitializeOptions } from "./decoder/initial-weights.js";
import { loadDecoder, type FromPretrainedOptions } from "./decoder/load-decoder.js";
import { DecoderForCausalLM, type DecoderParts } from "./decoder/model.js";

const hidden = ({ hiddenSize }: DecoderConfig): number => hiddenSize;
const query = ({ numAttentionHeads, headDim }: DecoderConfig): number => numAttentionHeads * headDim;
const keyValue = ({ numKeyValueHeads, headDim }: DecoderConfig): number => numKeyValueHeads * headDim;
const intermediate = ({ intermediateSize }: DecoderConfig): number => intermediateSize;

const linear: Pick<Projection, "hasBias" | "isDefaultTarget"> = { hasBias: false, isDefaultTarget: false };

/** Qwen2, Qwen2.5 and their distills: the names of their tensors, the sizes of their projections, and what peft adapts by default. */
export const qwen2: DecoderArchitecture = {
  ...qwen2Family,
  readConfig: readQwen2Config,
  writeConfig: writeQwen2Config,
  embedding: "model.embed_tokens",
  layers: "model.layers",
  layer: {
    inputLayernorm: { path: "input_layernorm" },
    qProj: { ...linear, path: "self_attn.q_proj", from: hidden, to: query, hasBias: true, isDefaultTarget: true },
    kProj: { ...linear, path: "self_attn.k_proj", from: hidden, to: keyValue, hasBias: true },
    vProj: { ...linear, path: "self_attn.v_proj", from: hidden, to: keyValue, hasBias: true, isDefaultTarget: true },
    oProj: { ...linear, path: "self_attn.o_proj", from: query, to: hidden },
    postAttentionLayernorm: { path: "post_attention_layernorm" },
    gateProj: { ...linear, path: "mlp.gate_proj", from: hidden, to: intermediate },
    upProj: { ...linear, path: "mlp.up_proj", from: hidden, to: intermediate },
    downProj: { ...linear, path: "mlp.down_proj", from: intermediate, to: hidden },
  },
  norm: "model.norm",
  outputEmbedding: "lm_head",
};

/** A Qwen2 decoder with its output head. Owns its weights; dispose it. */
export class Qwen2ForCausalLM extends DecoderForCausalLM<Qwen2Config> {
  /** Takes over the weights: those of linear layers are either among `weights` or, in four bits, among `quantized`. */
  constructor(config: Qwen2Config, weights: ReadonlyMap<string, Tensor>, parts: DecoderParts & { device: Device; dtype: FloatDtype }) {
    super(qwen2, config, weights, parts);
  }

  /** As {@link loadCausalLM}, for Qwen2 checkpoints alone. */
  static async fromPretrained(directory: ByteDirectory, options: FromPretrainedOptions): Promise<Qwen2ForCausalLM> {
    const { config, weights, ...parts } = await loadDecoder(directory, [qwen2], options);
    return new Qwen2ForCausalLM(config as Qwen2Config, weights, parts);
  }

  /** A new model with weights N(0, std²) from `random` (which gives standard normals), f32 and `trainable`: for pretraining small models. */
  static initialize(config: Qwen2Config, options: InitializeOptions): Qwen2ForCausalLM {
    const { weights, buckets } = initialWeights(qwen2, config, options);
    return new Qwen2ForCausalLM(config, weights, { device: options.device, dtype: "f32", buckets });
  }
}
