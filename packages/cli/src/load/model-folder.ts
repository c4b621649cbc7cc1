import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, SourceError } from "@kto/core";
import { fileDirectory } from "@kto/core/node";
import { pickleFiles } from "@kto/hub";
import { PeftModel } from "@kto/lora";
import { loadAdapter } from "@kto/lora/node";
import { loadCausalLM, readModelConfig, type DecoderConfig, type DecoderForCausalLM, type QuantizeOnLoad } from "@kto/qwen2";
import { openCheckpoint } from "@kto/safetensors";
import type { Device, FloatDtype } from "@kto/tensor";
import type { Tokenizer } from "@kto/tokenizer";
import { loadTokenizer } from "@kto/tokenizer/node";
import { formatBytes } from "../render/format.js";
import type { Console } from "../render/console.js";

/** What a model folder says of itself before any weight is read. */
export interface ModelFolder {
  path: string;
  config: DecoderConfig;
}

/**
 * Checks that a path is a model folder with a config and well-formed weights files, without a GPU.
 * Throws SourceError for a path that is none, FormatError for unusable contents.
 */
export async function openModelFolder(path: string): Promise<ModelFolder> {
  await expectFolder(path);
  await expectReadableWeights(path);
  const directory = fileDirectory(path);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(join(path, "config.json"), "utf8"));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      throw new SourceError(`model: ${path} has no config.json; expected a model in Hugging Face layout; check the path`, {
        source: path,
        reason: "ENOENT",
        cause,
      });
    }
    throw new FormatError(
      `model: ${join(path, "config.json")} cannot be read; expected JSON, got "${(cause as Error).message}"; copy it again`,
      { source: path, cause },
    );
  }
  const config = readModelConfig(json, join(path, "config.json"));
  await (await openCheckpoint(directory)).dispose();
  return { path, config };
}

/** The folder's tokenizer, or undefined when it has none. Throws TokenizerError for one that cannot be used. */
export async function openTokenizer(path: string): Promise<Tokenizer | undefined> {
  await expectFolder(path);
  return existsSync(join(path, "tokenizer.json")) ? loadTokenizer(path) : undefined;
}

/** Puts the weights on the device. Throws FormatError, ShapeError or DtypeError for a checkpoint that contradicts its config. */
export async function loadModel(
  { path }: ModelFolder,
  {
    device,
    dtype,
    console,
    quantization,
    signal,
  }: { device: Device; dtype: FloatDtype; console: Console; quantization?: QuantizeOnLoad; signal?: AbortSignal },
): Promise<DecoderForCausalLM> {
  let progress: ReturnType<Console["progress"]> | undefined;
  try {
    return await loadCausalLM(fileDirectory(path), {
      device,
      dtype,
      quantization,
      signal,
      onProgress: ({ loadedBytes, totalBytes }) => {
        progress ??= console.progress("weights", 100);
        progress.update(Math.floor((100 * loadedBytes) / totalBytes), `% of ${formatBytes(totalBytes)}`);
      },
    });
  } finally {
    progress?.stop();
  }
}

/** A model with the adapter of a folder on it. Throws SourceError, LoraConfigError, LoraTargetError or AdapterFileError. */
export async function withAdapter(base: DecoderForCausalLM, folder: string): Promise<PeftModel<DecoderForCausalLM>> {
  const { config, weights } = await loadAdapter(folder, base);
  const model = new PeftModel(base);
  model.addAdapter(config, { weights });
  return model;
}

/** The operand type of a word of the config. `float16` on a device without it is an error of the model's loader. */
export function operandDtype(dtype: string, device: Device): FloatDtype {
  if (dtype === "float32") return "f32";
  if (dtype === "float16") return "f16";
  return device.capabilities.shaderF16 ? "f16" : "f32";
}

async function expectFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return;
  const isGguf = /\.gguf$/i.test(path);
  throw new SourceError(
    `model: ${path} ${found ? (isGguf ? "is a GGUF file" : "is no folder") : "does not exist"}; expected the folder of a model or its name on the hub (owner/name), got ${found ? "a file" : "no such path"}; ${isGguf ? "GGUF is for inference: give the model that it was made from" : "check the path"}`,
    { source: path, reason: found ? "ENOTDIR" : "ENOENT" },
  );
}

/** Throws FormatError for a folder whose weights are there only in formats that are not read. */
async function expectReadableWeights(path: string): Promise<void> {
  const names = (await readdir(path)).sort();
  if (names.some((name) => name.endsWith(".safetensors") || name === "model.safetensors.index.json")) return;
  const [pickle] = pickleFiles(names.map((name) => ({ path: name, size: 0 })));
  const gguf = names.find((name) => /\.gguf$/i.test(name));
  if (pickle) {
    throw new FormatError(
      `model: ${path} holds only pickle weights (${pickle.path}); expected *.safetensors, since a pickle file can run any code; save the model again with transformers, which writes safetensors`,
      { source: path },
    );
  }
  if (gguf !== undefined) {
    throw new FormatError(
      `model: ${path} holds a GGUF file (${gguf}); expected *.safetensors in Hugging Face layout; GGUF is for inference: give the model that it was made from`,
      { source: path },
    );
  }
}
