import { ArgumentError, type ByteDirectory } from "@kto/core";
import { loadCausalLM, type DecoderForCausalLM, type QuantizeOnLoad } from "@kto/qwen2";
import type { Device, FloatDtype } from "@kto/tensor";
import type { Tokenizer } from "@kto/tokenizer";
import type { PlaceOptions } from "../platform/types.js";
import type { ModelFiles } from "./model-files.js";
import { openModel } from "./open-model.js";

/** A model on a device with what belongs to it. */
export type LoadedModel = DecoderForCausalLM & {
  /** As it was given to `loadModel`; what adapters name as their base. */
  readonly name: string;
  /** Branch, tag or commit of a model of the hub, where another than the main one was asked for. */
  readonly revision: string | undefined;
  /** undefined when the model has none: then only tokenised rows can be used. */
  readonly tokenizer: Tokenizer | undefined;
  /** What `generation_config.json` says, the defaults of generation; undefined when the model has none. */
  readonly generationConfig: ModelFiles["generationConfig"];
  readonly files: ModelFiles;
};

/** How a model is loaded. */
export interface LoadModelOptions extends PlaceOptions {
  device: Device;
  /** Storage and operands; default `auto`: f16 where the device has it. */
  dtype?: FloatDtype | "auto" | undefined;
  /** Quantise 16-bit weights to NF4 while they load. Checkpoints in four bits load as they are. */
  loadIn4bit?: boolean | undefined;
  /** Also quantise the scales of `loadIn4bit`; default true. */
  bnb4bitUseDoubleQuant?: boolean | undefined;
  /**
   * Every weight is to be trained, not an adapter: all are held in f32, which takes 4 bytes a parameter, and 12 more with their gradients and AdamW's moments.
   * Does not go with `loadIn4bit` or dtype "f16". Default false.
   */
  trainable?: boolean | undefined;
  onProgress?(progress: { loadedBytes: number; totalBytes: number }): void;
}

/**
 * Puts a model's weights on a device. The model is its caller's to dispose.
 *
 * @param place  a folder, an address (browser), a name on the hub `owner/name[@revision]`, a directory of files, or what `openModel` gave
 * @throws as `openModel`; ShapeError, DtypeError for weights that contradict the config; CapabilityError for f16 on a device without it;
 *   OutOfMemoryError
 */
export async function loadModel(place: string | ByteDirectory | ModelFiles, options: LoadModelOptions): Promise<LoadedModel> {
  const { device, dtype = "auto", trainable, signal, onProgress } = options ?? {};
  if (!device)
    throw new ArgumentError(
      "loadModel: device is missing; expected what openDevice() resolves to, got nothing; pass { device: await openDevice() }",
    );
  const files = typeof place === "object" && "config" in place ? place : await openModel(place, options);
  const model = await loadCausalLM(files.directory, {
    device,
    dtype,
    quantization: quantizationOf(options),
    trainable,
    signal,
    onProgress,
  });
  const { name, revision, tokenizer, generationConfig } = files;
  return Object.assign(model, { name, revision, tokenizer, generationConfig, files });
}

/** How layers are quantised that a checkpoint holds in 16 bits. */
export function quantizationOf({
  loadIn4bit = false,
  bnb4bitUseDoubleQuant = true,
}: Pick<LoadModelOptions, "loadIn4bit" | "bnb4bitUseDoubleQuant">): QuantizeOnLoad | undefined {
  return loadIn4bit ? { loadIn4bit, bnb4bitUseDoubleQuant } : undefined;
}
