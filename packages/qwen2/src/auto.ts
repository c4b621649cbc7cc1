import type { ByteDirectory } from "@kto/core";
import type { Checkpoint } from "@kto/safetensors";
import type { ModuleTree } from "@kto/tensor";
import { familyOf, type DecoderArchitecture } from "./decoder/architecture.js";
import type { DecoderConfig } from "./decoder/config.js";
import { emptyWeights, type EmptyModelOptions } from "./decoder/empty-model.js";
import { loadDecoder, readConfigJson, type FromPretrainedOptions } from "./decoder/load-decoder.js";
import { DecoderForCausalLM } from "./decoder/model.js";
import { decoderTree } from "./decoder/module-tree.js";
import { layersOfSketch, quantizationOfSketch } from "./decoder/sketch.js";
import { settleDecoder, type SettledCheckpoint } from "./decoder/settle-checkpoint.js";
import { decoderWeightSpecs, type WeightSpec } from "./decoder/weight-specs.js";
import { qwen2 } from "./qwen2.js";

/** The families that can be loaded. Another one is a table like `qwen2`, and a line here. */
const architectures: readonly DecoderArchitecture[] = [qwen2];

/**
 * Reads the parsed `config.json` of any model that `loadCausalLM` loads, by its `model_type`.
 * Throws FormatError for another architecture, with the list of those there are, and as the reader of its family.
 */
export function readModelConfig(json: unknown, source = "config.json"): DecoderConfig {
  return familyOf(json, source, architectures).family.readConfig(json, source);
}

/**
 * Loads a checkpoint in Hugging Face layout, `config.json` and one or several safetensors files, as the model that its `model_type` names.
 *
 * @returns the model, its caller's to dispose. Throws FormatError, ShapeError or DtypeError naming file and tensor; QuantizationConfigError if something
 *   other than bitsandbytes quantised the model; CapabilityError for f16 on a device without it
 */
export async function loadCausalLM(directory: ByteDirectory, options: FromPretrainedOptions): Promise<DecoderForCausalLM> {
  const { architecture, config, weights, ...parts } = await loadDecoder(directory, architectures, options);
  return new DecoderForCausalLM(architecture, config, weights, parts);
}

/**
 * A model of this config whose weights have their memory and arbitrary contents: on a `rehearsalDevice` what a run of it would take can be planned without a
 * checkpoint. Its caller's to dispose.
 */
export function emptyCausalLM(config: DecoderConfig, options: EmptyModelOptions): DecoderForCausalLM {
  const { weights, ...parts } = emptyWeights(weightSpecs(config), options);
  return new DecoderForCausalLM(architectureOf(config), config, weights, { device: options.device, ...parts });
}

/**
 * A model of a checkpoint's config.json with two of its layers and arbitrary weights: on a `rehearsalDevice` it tells which kernels the whole one runs, before
 * any of its weights is there. Its caller's to dispose. Throws FormatError and QuantizationConfigError.
 */
export async function sketchCausalLM(
  directory: ByteDirectory,
  { quantization: asked, ...options }: EmptyModelOptions,
): Promise<DecoderForCausalLM> {
  const source = `${directory.name}: config.json`;
  const json = await readConfigJson(directory);
  const config = readModelConfig(json, source);
  const quantization = quantizationOfSketch(json, source, { specs: weightSpecs(config), asked });
  const numHiddenLayers = Math.min(layersOfSketch, config.numHiddenLayers);
  return emptyCausalLM({ ...config, numHiddenLayers }, { ...options, quantization });
}

/** Every tensor of a checkpoint with this config, in the order of the forward pass. */
export function weightSpecs(config: DecoderConfig): WeightSpec[] {
  return decoderWeightSpecs(architectureOf(config), config);
}

/** A model of this config as the places where adapters can go: shapes, no weights. */
export function modelTree(config: DecoderConfig): ModuleTree {
  return decoderTree(architectureOf(config), config);
}

/**
 * Looks at a checkpoint as `loadCausalLM` does before it reads weights: whether head and embedding are one, and that every weight is there in the shape of the
 * config. Throws FormatError, ShapeError, DtypeError naming the tensor; the numbers of those in four bits are checked by whoever reads them.
 */
export function settleCheckpoint(checkpoint: Checkpoint, config: DecoderConfig, signal?: AbortSignal): Promise<SettledCheckpoint> {
  return settleDecoder(checkpoint, architectureOf(config), config, signal);
}

function architectureOf({ modelType }: DecoderConfig): DecoderArchitecture {
  return familyOf({ model_type: modelType }, "config", architectures).family;
}
