import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type ByteDirectory, bytesSource } from "@kto/core";
import { checkpointWeights, openCheckpoint } from "@kto/safetensors";
import type { GgufModel } from "../export/export-gguf.js";
import { goldenModels, tensorsOf, valuesOf } from "./golden-models.js";
import { checkpointTensorName } from "../qwen2/tensor-names.js";

/** Path of a file or folder below packages/testing/fixtures. */
export function fixture(...parts: string[]): string {
  return fileURLToPath(new URL(`../../../testing/fixtures/${parts.join("/")}`, import.meta.url));
}

/** A parsed JSON file; undefined where there is none. */
export function readJson(path: string): Record<string, unknown> | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>) : undefined;
}

/** A model of the fixtures, as `exportGguf` takes it, with the parsed files of a folder. */
export async function fixtureModel(
  name: string,
): Promise<GgufModel & { config: Record<string, unknown>; tokenizer: { tokenizerJson: Record<string, unknown> } }> {
  const folder = fixture(name);
  return {
    name,
    weights: checkpointWeights(await openCheckpoint(inMemory(folder))),
    config: readJson(`${folder}/config.json`)!,
    tokenizer: {
      tokenizerJson: readJson(`${folder}/tokenizer.json`)!,
      tokenizerConfig: readJson(`${folder}/tokenizer_config.json`),
      chatTemplateJinja: existsSync(`${folder}/chat_template.jinja`) ? readFileSync(`${folder}/chat_template.jinja`, "utf8") : undefined,
    },
    generationConfig: readJson(`${folder}/generation_config.json`),
  };
}

/** A golden model under transformers' names, with a tokenizer of 64 tokens. */
export function goldenModel(name: "A" | "B"): GgufModel {
  const model = goldenModels[name];
  const values = valuesOf(model);
  const tensors = new Map(
    tensorsOf(model).map(({ name: gguf, shape }) => [checkpointTensorName(gguf), { shape, dtype: "F32" as const, gguf }]),
  );
  const { pre_tokenizer: preTokenizer } = readJson(fixture("model", "tokenizer.json"))!;
  return {
    name: "golden",
    weights: {
      tensors,
      async read(weight, rows) {
        const { gguf, shape } = tensors.get(weight)!;
        const rowSize = shape.slice(1).reduce((product, size) => product * size, 1);
        return values.get(gguf)!.slice((rows?.from ?? 0) * rowSize, (rows?.to ?? shape[0]!) * rowSize);
      },
    },
    config: {
      model_type: "qwen2",
      vocab_size: model.vocabSize,
      hidden_size: model.hiddenSize,
      intermediate_size: model.intermediateSize,
      num_hidden_layers: model.numHiddenLayers,
      num_attention_heads: model.numAttentionHeads,
      num_key_value_heads: model.numKeyValueHeads,
      max_position_embeddings: 512,
      rope_theta: 1_000_000,
      rms_norm_eps: 1e-6,
      tie_word_embeddings: model.isTied,
    },
    tokenizer: {
      tokenizerJson: {
        model: { type: "BPE", vocab: Object.fromEntries(Array.from({ length: 64 }, (_, id) => [`t${id}`, id])), merges: [["t", "0"]] },
        pre_tokenizer: preTokenizer,
      },
    },
  };
}

/** A folder whose files are read whole, so that none stays open. */
export function inMemory(folder: string): ByteDirectory {
  return {
    name: folder,
    open: async (file) => (existsSync(`${folder}/${file}`) ? bytesSource(readFileSync(`${folder}/${file}`), file) : undefined),
  };
}
