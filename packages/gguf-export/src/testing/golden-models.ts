import type { MetadataValue } from "../container/metadata.js";
import type { MixModel } from "../mix.js";
import { generator } from "./conformance.js";

/** Sizes of a Qwen2 model, as far as its tensors go. */
export interface ModelSizes extends MixModel {
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  isTied: boolean;
}

/** The two models whose files are known to the byte. */
export const goldenModels: Record<"A" | "B", ModelSizes> = {
  A: {
    vocabSize: 64,
    hiddenSize: 256,
    intermediateSize: 768,
    numHiddenLayers: 16,
    numAttentionHeads: 4,
    numKeyValueHeads: 1,
    isTied: false,
  },
  B: { vocabSize: 64, hiddenSize: 96, intermediateSize: 288, numHiddenLayers: 8, numAttentionHeads: 3, numKeyValueHeads: 1, isTied: true },
};

/** Published models by name. */
export const publishedModels: Record<string, ModelSizes> = {
  "R1-Distill-1.5B": published({ vocabSize: 151936, hiddenSize: 1536, intermediateSize: 8960, layers: 28, heads: [12, 2], isTied: false }),
  "Qwen2.5-1.5B": published({ vocabSize: 151936, hiddenSize: 1536, intermediateSize: 8960, layers: 28, heads: [12, 2], isTied: true }),
  "Qwen2.5-0.5B": published({ vocabSize: 151936, hiddenSize: 896, intermediateSize: 4864, layers: 24, heads: [14, 2], isTied: true }),
  "Qwen2.5-3B": published({ vocabSize: 151936, hiddenSize: 2048, intermediateSize: 11008, layers: 36, heads: [16, 2], isTied: true }),
  "Qwen2.5-7B": published({ vocabSize: 152064, hiddenSize: 3584, intermediateSize: 18944, layers: 28, heads: [28, 4], isTied: false }),
};

function published({
  layers,
  heads,
  ...sizes
}: Omit<ModelSizes, keyof MixModel> & { layers: number; heads: [number, number] }): ModelSizes {
  return { ...sizes, numHiddenLayers: layers, numAttentionHeads: heads[0], numKeyValueHeads: heads[1] };
}

/** Names and shapes of all tensors, in the order of a checkpoint. */
export function tensorsOf(model: ModelSizes): { name: string; shape: number[] }[] {
  const { vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, isTied } = model;
  const keySize = (hiddenSize / numAttentionHeads) * numKeyValueHeads;
  const layer = (index: number): [string, number[]][] => [
    [`blk.${index}.attn_norm.weight`, [hiddenSize]],
    [`blk.${index}.attn_q.weight`, [hiddenSize, hiddenSize]],
    [`blk.${index}.attn_q.bias`, [hiddenSize]],
    [`blk.${index}.attn_k.weight`, [keySize, hiddenSize]],
    [`blk.${index}.attn_k.bias`, [keySize]],
    [`blk.${index}.attn_v.weight`, [keySize, hiddenSize]],
    [`blk.${index}.attn_v.bias`, [keySize]],
    [`blk.${index}.attn_output.weight`, [hiddenSize, hiddenSize]],
    [`blk.${index}.ffn_norm.weight`, [hiddenSize]],
    [`blk.${index}.ffn_gate.weight`, [intermediateSize, hiddenSize]],
    [`blk.${index}.ffn_up.weight`, [intermediateSize, hiddenSize]],
    [`blk.${index}.ffn_down.weight`, [hiddenSize, intermediateSize]],
  ];
  const all: [string, number[]][] = [
    ["token_embd.weight", [vocabSize, hiddenSize]],
    ...Array.from({ length: numHiddenLayers }, (_, index) => layer(index)).flat(),
    ["output_norm.weight", [hiddenSize]],
  ];
  if (!isTied) all.push(["output.weight", [vocabSize, hiddenSize]]);
  return all.map(([name, shape]) => ({ name, shape }));
}

/** The values of all tensors by name, from one generator that runs through them in the order of a checkpoint. */
export function valuesOf(model: ModelSizes): Map<string, Float32Array> {
  const next = generator(1);
  return new Map(
    tensorsOf(model).map(({ name, shape }) => {
      const values = next(shape.reduce((product, size) => product * size, 1));
      return [name, name.endsWith("_norm.weight") ? values.map((value) => 1 + value) : values];
    }),
  );
}

/** The metadata of a golden file; a quantised one has the last two of `general` at its end. */
export function metadataOf(model: ModelSizes, fileTypeId: number, isQuantized: boolean): [string, MetadataValue][] {
  const text = (value: string): MetadataValue => ({ type: "string", value });
  const u32 = (value: number): MetadataValue => ({ type: "u32", value });
  const fileFacts: [string, MetadataValue][] = [
    ["general.file_type", u32(fileTypeId)],
    ["general.quantization_version", u32(2)],
  ];
  return [
    ["general.architecture", text("qwen2")],
    ["general.type", text("model")],
    ["general.name", text("golden")],
    ["qwen2.block_count", u32(model.numHiddenLayers)],
    ["qwen2.context_length", u32(512)],
    ["qwen2.embedding_length", u32(model.hiddenSize)],
    ["qwen2.feed_forward_length", u32(model.intermediateSize)],
    ["qwen2.attention.head_count", u32(model.numAttentionHeads)],
    ["qwen2.attention.head_count_kv", u32(model.numKeyValueHeads)],
    ["qwen2.rope.freq_base", { type: "f32", value: 1000000 }],
    ["qwen2.attention.layer_norm_rms_epsilon", { type: "f32", value: 1e-6 }],
    ...(isQuantized ? [] : fileFacts),
    ["tokenizer.ggml.model", text("gpt2")],
    ["tokenizer.ggml.pre", text("qwen2")],
    ["tokenizer.ggml.tokens", { type: "array", of: "string", value: Array.from({ length: 64 }, (_, id) => `t${id}`) }],
    ["tokenizer.ggml.token_type", { type: "array", of: "i32", value: new Int32Array(64).fill(1) }],
    ["tokenizer.ggml.merges", { type: "array", of: "string", value: ["t 0"] }],
    ["tokenizer.ggml.eos_token_id", u32(0)],
    ...(isQuantized ? fileFacts.toReversed() : []),
  ];
}
