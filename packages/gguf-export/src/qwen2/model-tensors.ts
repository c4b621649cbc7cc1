import { excerpt, FormatError } from "@kto/core";
import type { WeightSource } from "@kto/safetensors";
import type { Qwen2Sizes } from "./hyper-parameters.js";
import { ggufTensorName } from "./tensor-names.js";

/** A weight of a checkpoint as a tensor of a GGUF file. */
export interface ModelTensor {
  /** In the GGUF file. */
  readonly name: string;
  /** In the checkpoint. */
  readonly source: string;
  /** Rows first. */
  readonly shape: readonly number[];
}

/** Names spelled out in a message. */
const NAMES_IN_MESSAGE = 3;

/**
 * The tensors of a Qwen2 checkpoint under their GGUF names, in the order of the checkpoint: all that such a model has, in the shapes that its config gives, and nothing else. A tied
 * model may lack the head; one that is there is written, whatever the config says.
 *
 * @throws FormatError naming what is missing, left over, there twice or of another shape; llama.cpp loads a model without biases without a word, and computes another
 */
export function modelTensors({ tensors }: WeightSource, sizes: Qwen2Sizes): ModelTensor[] {
  const expected = tensorShapes(sizes);
  const found = new Map<string, ModelTensor>();
  for (const [source, { shape }] of tensors) {
    const name = ggufTensorName(source);
    if (name === undefined) continue;
    const before = found.get(name);
    if (before)
      throw fail(
        `two weights are one tensor of the file; expected ${name} once, got ${excerpt(before.source, 120)} and ${excerpt(source, 120)}`,
        source,
      );
    const wanted = expected.get(name);
    if (!wanted)
      throw fail(
        `weight ${excerpt(source, 120)} belongs to a layer that the config does not have; expected ${sizes.numHiddenLayers} layers (num_hidden_layers)`,
        source,
      );
    if (shape.length !== wanted.length || shape.some((size, axis) => size !== wanted[axis]))
      throw fail(
        `weight ${excerpt(source, 120)} has another shape than the config gives it; expected [${wanted.join(", ")}], got [${shape.join(", ")}]; take the config.json of these weights`,
        source,
      );
    found.set(name, { name, source, shape });
  }
  const missing = [...expected.keys()].filter((name) => !found.has(name) && !(name === "output.weight" && sizes.tieWordEmbeddings));
  if (missing.length > 0) {
    const more = missing.length > NAMES_IN_MESSAGE ? ` and ${missing.length - NAMES_IN_MESSAGE} more` : "";
    throw fail(
      `the checkpoint is not whole; expected ${expected.size} tensors, got none for ${missing.slice(0, NAMES_IN_MESSAGE).join(", ")}${more}; look for a shard that is missing`,
      missing[0]!,
    );
  }
  return [...found.values()];
}

/** Shape of every tensor that a model of these sizes may have, by GGUF name. */
export function tensorShapes({ hiddenSize, intermediateSize, vocabSize, headDim, ...sizes }: Qwen2Sizes): Map<string, readonly number[]> {
  const query = sizes.numAttentionHeads * headDim;
  const keyValue = sizes.numKeyValueHeads * headDim;
  const layer: [string, readonly number[]][] = [
    ["attn_norm.weight", [hiddenSize]],
    ["attn_q.weight", [query, hiddenSize]],
    ["attn_q.bias", [query]],
    ["attn_k.weight", [keyValue, hiddenSize]],
    ["attn_k.bias", [keyValue]],
    ["attn_v.weight", [keyValue, hiddenSize]],
    ["attn_v.bias", [keyValue]],
    ["attn_output.weight", [hiddenSize, query]],
    ["ffn_norm.weight", [hiddenSize]],
    ["ffn_gate.weight", [intermediateSize, hiddenSize]],
    ["ffn_up.weight", [intermediateSize, hiddenSize]],
    ["ffn_down.weight", [hiddenSize, intermediateSize]],
  ];
  const layers = Array.from({ length: sizes.numHiddenLayers }, (_, index) =>
    layer.map(([name, shape]): [string, readonly number[]] => [`blk.${index}.${name}`, shape]),
  );
  return new Map([
    ["token_embd.weight", [vocabSize, hiddenSize]],
    ...layers.flat(),
    ["output_norm.weight", [hiddenSize]],
    ["output.weight", [vocabSize, hiddenSize]],
  ]);
}

function fail(problem: string, tensor: string): FormatError {
  return new FormatError(`exportGguf: ${problem}`, { tensor });
}
