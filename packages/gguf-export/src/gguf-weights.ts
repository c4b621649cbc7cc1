import { FormatError } from "@kto/core";
import { type WeightInfo, weightRows, type WeightSource } from "@kto/safetensors";
import type { GgufFile } from "./container/gguf-file.js";
import { GGML_TYPES } from "./ggml-types.js";
import { dequantize, QUANTIZED_TYPES, type QuantizedType } from "./quantize.js";
import { checkpointTensorName } from "./qwen2/tensor-names.js";

/**
 * The tensors of a Qwen2 GGUF file as weights of a checkpoint, under transformers' names: dequantised where they are quantised.
 *
 * @param file  stays open, and the caller's
 * @throws FormatError for a file of another architecture and for tensors that such a model does not have
 */
export function ggufWeights(file: GgufFile): WeightSource {
  const architecture = file.metadata.get("general.architecture")?.value;
  if (architecture !== "qwen2")
    throw new FormatError(
      `ggufWeights: another architecture; expected general.architecture "qwen2", got ${JSON.stringify(architecture ?? null)}`,
    );
  const names = new Map<string, { name: string; type: QuantizedType }>();
  const tensors = new Map<string, WeightInfo>();
  for (const { name, type, shape } of file.tensors.values()) {
    if (!(QUANTIZED_TYPES as readonly string[]).includes(type))
      throw new FormatError(`ggufWeights: tensor ${name} is of another type; expected one of ${QUANTIZED_TYPES.join(", ")}, got ${type}`, {
        tensor: name,
      });
    const weight = checkpointTensorName(name);
    names.set(weight, { name, type: type as QuantizedType });
    tensors.set(weight, { shape, dtype: type === "F16" || type === "BF16" ? type : "F32" });
  }
  return {
    tensors,
    async read(weight, rows) {
      const { from, to, rowSize } = weightRows(tensors, weight, rows);
      const { name, type } = names.get(weight)!;
      const { blockValues, blockBytes } = GGML_TYPES[type];
      const bytesAt = (row: number): number => ((row * rowSize) / blockValues) * blockBytes;
      return dequantize(await file.readRange(name, bytesAt(from), bytesAt(to)), type);
    },
  };
}
