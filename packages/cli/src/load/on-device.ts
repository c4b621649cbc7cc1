import { loadModel, openDevice, type LoadedModel, type ModelFiles } from "@kto/kit";
import type { Device, FloatDtype } from "@kto/tensor";
import type { CommandInput } from "../commands/command.js";
import type { Console } from "../render/console.js";

/** Opens the device that the command line chose; says so where it is not the machine's GPU. */
export function commandDevice({ options, io, console }: CommandInput, maxMemory: number | null = null): Promise<Device> {
  const onNote = (note: string): void => console.sentence(note);
  return openDevice({ device: options.device, maxMemory: maxMemory ?? undefined, env: io.env, onNote });
}

/** The operand type of a word of the config. `float16` on a device without it is an error of the model's loader. */
export function operandDtype(dtype: string | null, device: Device): FloatDtype {
  if (dtype === "float32") return "f32";
  if (dtype === "float16") return "f16";
  return device.capabilities.shaderF16 ? "f16" : "f32";
}

/** How weights are put on a device. */
export interface WeightsChoice {
  dtype: FloatDtype;
  loadIn4bit: boolean;
  useBnbNestedQuant: boolean;
  /** Every weight is to be trained. */
  trainable?: boolean;
  signal: AbortSignal | undefined;
}

/** Puts a model's weights on a device, with a bar. */
export async function loadWeights(
  files: ModelFiles,
  device: Device,
  console: Console,
  { useBnbNestedQuant, ...choice }: WeightsChoice,
): Promise<LoadedModel> {
  using progress = console.progress("weights", "bytes");
  return await loadModel(files, {
    ...choice,
    device,
    bnb4bitUseDoubleQuant: useBnbNestedQuant,
    onProgress: ({ loadedBytes: done, totalBytes: total }) => progress.update({ done, total }),
  });
}
