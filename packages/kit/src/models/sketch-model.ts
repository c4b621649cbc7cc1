import { sketchCausalLM } from "@kto/qwen2";
import { quantizationOf, type LoadedModel, type LoadModelOptions } from "./load-model.js";
import type { ModelFiles } from "./model-files.js";

/**
 * The model that `loadModel` would load, with two of its layers and arbitrary weights: on a `rehearsalDevice` it tells which kernels a run needs, so that they are
 * compiled while the weights are on their way. Its caller's to dispose.
 *
 * @throws FormatError, QuantizationConfigError for a config.json that cannot be read
 */
export async function sketchModel(
  files: ModelFiles,
  options: Pick<LoadModelOptions, "device" | "dtype" | "loadIn4bit" | "bnb4bitUseDoubleQuant" | "trainable">,
): Promise<LoadedModel> {
  const { device, dtype, trainable } = options;
  const model = await sketchCausalLM(files.directory, { device, dtype, trainable, quantization: quantizationOf(options) });
  const { name, revision, tokenizer, generationConfig } = files;
  return Object.assign(model, { name, revision, tokenizer, generationConfig, files });
}
