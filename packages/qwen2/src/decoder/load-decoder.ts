import { CapabilityError, foreignText, FormatError, readText, shorten, type ByteDirectory } from "@kto/core";
import { expectBitsandbytes, type Nf4Weight } from "@kto/nf4";
import { openCheckpoint } from "@kto/safetensors";
import type { Device, FloatDtype, ParameterBucket, Tensor } from "@kto/tensor";
import { familyOf, type DecoderArchitecture } from "./architecture.js";
import type { DecoderConfig } from "./config.js";
import { expectTrainable, expectTrainableFiles } from "./expect-trainable.js";
import { loadWeights, type LoadProgress, type QuantizeOnLoad } from "./load-weights.js";
import { settleDecoder } from "./settle-checkpoint.js";
import { weightBuckets } from "./weight-buckets.js";

/** Options of `loadCausalLM` and `fromPretrained`. */
export interface FromPretrainedOptions {
  device: Device;
  /** Storage of matrices and type of GEMM operands; `auto` is f16 where the device has it. */
  dtype?: FloatDtype | "auto" | undefined;
  /**
   * Quantise linear layers that the checkpoint holds in 16 or 32 bits while they load. A checkpoint of bitsandbytes is loaded as it is: the file
   * decides, layer by layer.
   */
  quantization?: QuantizeOnLoad | undefined;
  /** Every weight is to be trained: all are in f32, in buckets (`trainable` of the model). Default false. */
  trainable?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** A checkpoint on a device. */
export interface LoadedDecoder {
  architecture: DecoderArchitecture;
  config: DecoderConfig;
  /** The fields of its config.json, also those that nothing here reads. */
  configJson: Record<string, unknown>;
  weights: Map<string, Tensor>;
  quantized: Map<string, Nf4Weight>;
  device: Device;
  dtype: FloatDtype;
  /** The weights, where they are to be trained. */
  buckets: ParameterBucket[] | undefined;
}

/** Loads a checkpoint of one of these architectures. Errors as `loadCausalLM`. */
export async function loadDecoder(
  directory: ByteDirectory,
  architectures: readonly DecoderArchitecture[],
  { device, dtype = "auto", quantization, trainable = false, signal, onProgress }: FromPretrainedOptions,
): Promise<LoadedDecoder> {
  if (trainable) expectTrainable({ dtype, quantization });
  if (dtype === "f16" && !device.capabilities.shaderF16) {
    throw new CapabilityError(
      `fromPretrained: adapter "${device.capabilities.description}" lacks shader-f16; expected it for dtype "f16"; pass dtype "f32"`,
    );
  }
  const chosen = dtype === "auto" ? (device.capabilities.shaderF16 && !trainable ? "f16" : "f32") : dtype;
  const json = await readConfigJson(directory);
  const source = `${directory.name}: config.json`;
  const { family: architecture, fields: configJson } = familyOf(json, source, architectures);
  const configured = architecture.readConfig(json, source);
  expectBitsandbytes(json, source);
  const checkpoint = await openCheckpoint(directory);
  try {
    const { reader, config, specs } = await settleDecoder(checkpoint, architecture, configured, signal);
    if (trainable) expectTrainableFiles(reader, specs, directory.name);
    const buckets = trainable ? weightBuckets(device, specs) : undefined;
    try {
      const loaded = await loadWeights(reader, specs, { device, dtype: chosen, quantization, buckets, signal, onProgress });
      return { architecture, config, configJson, ...loaded, device, dtype: chosen, buckets };
    } catch (error) {
      for (const bucket of buckets ?? []) bucket.dispose();
      throw error;
    }
  } finally {
    await checkpoint.dispose();
  }
}

/** The config.json of a model folder, parsed. Throws FormatError for a folder without one, and for what is no JSON. */
export async function readConfigJson(directory: ByteDirectory): Promise<unknown> {
  const text = await readText(directory, "config.json");
  if (text === undefined)
    throw new FormatError(
      `fromPretrained: ${directory.name} has no config.json; expected a model folder in Hugging Face layout, with safetensors files; GGUF files and pickles are not read`,
      { source: directory.name },
    );
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(
      `fromPretrained: ${directory.name}: config.json is not JSON; got ${foreignText(text) ?? shorten((cause as Error).message, 120)}`,
      { source: directory.name, cause },
    );
  }
}
