import { readText, SourceError, type ByteDirectory } from "@kto/core";
import { openSafetensors, type TensorData } from "@kto/safetensors";
import type { ModuleTree } from "@kto/tensor";
import { readAdapterWeights } from "./adapter-files.js";
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, adapterSubfolder, DEFAULT_ADAPTER, embeddingTensorName } from "./adapter-names.js";
import { parseAdapterConfig } from "./config-file.js";
import type { LoraConfig } from "./config.js";
import { LoraConfigError } from "./errors.js";
import type { LoraWeights } from "./init.js";
import { expectedEmbeddings, type SavedEmbeddings } from "./saved-embeddings.js";
import { resolveTargets, type LoraTarget } from "./target-modules.js";

/** An adapter as it lies on disk, fitted to a model. */
export interface LoadedAdapter {
  readonly config: LoraConfig;
  readonly targets: readonly LoraTarget[];
  /** By module path. */
  readonly weights: ReadonlyMap<string, LoraWeights>;
  /** Embedding and head, by module path, of an adapter that brings its own. */
  readonly embeddings: SavedEmbeddings;
}

/**
 * The config of an adapter that peft or this package saved; `adapterName` other than "default" is a folder inside.
 *
 * Throws SourceError when the file cannot be read, LoraConfigError (with the path) when it is not usable.
 */
export async function readAdapterConfig(directory: ByteDirectory, adapterName: string = DEFAULT_ADAPTER): Promise<LoraConfig> {
  const file = inside(adapterName, ADAPTER_CONFIG_FILE);
  const path = `${directory.name}/${file}`;
  const text = await readText(directory, file);
  if (text === undefined)
    throw new SourceError(`readAdapterConfig: ${path}: no such file; expected the folder of an adapter; check the path`, {
      source: path,
      reason: "ENOENT",
    });
  try {
    return parseAdapterConfig(text);
  } catch (error) {
    if (!(error instanceof LoraConfigError)) throw error;
    throw new LoraConfigError(`${path}: ${error.message}`, { field: error.field, cause: error });
  }
}

/**
 * Reads an adapter and checks it against the model: every tensor there, none left over, all of the right shape.
 *
 * Throws as `readAdapterConfig`, `resolveTargets`, `openSafetensors` and `readAdapterWeights`.
 */
export async function readAdapter(
  directory: ByteDirectory,
  model: ModuleTree,
  adapterName: string = DEFAULT_ADAPTER,
): Promise<LoadedAdapter> {
  const read = await readAdapterConfig(directory, adapterName);
  const { config, targets } = resolveTargets(model, read, { isSaved: true });
  const source = (await directory.open(inside(adapterName, ADAPTER_WEIGHTS_FILE))) ?? (await noWeights(directory, adapterName));
  try {
    const file = await openSafetensors(source);
    const expected = expectedEmbeddings(file.tensors, model, config);
    const weights = await readAdapterWeights(file, targets, expected);
    const embeddings = new Map<string, TensorData>();
    for (const path of expected.keys()) embeddings.set(path, await file.read(embeddingTensorName(path)));
    return { config, targets, weights, embeddings };
  } finally {
    await source.dispose?.();
  }
}

function inside(adapterName: string, file: string): string {
  const folder = adapterSubfolder(adapterName);
  return folder === "" ? file : `${folder}/${file}`;
}

/** Throws SourceError for an adapter without `adapter_model.safetensors`. */
async function noWeights(directory: ByteDirectory, adapterName: string): Promise<never> {
  const file = inside(adapterName, ADAPTER_WEIGHTS_FILE);
  const path = `${directory.name}/${file}`;
  const pickle = await directory.open(file.replace(/safetensors$/, "bin"));
  await pickle?.dispose?.();
  throw new SourceError(
    pickle
      ? `loadAdapter: ${path}: no such file; expected safetensors, got ${path.replace(/safetensors$/, "bin")} (a pickle); save the adapter again with a newer peft`
      : `loadAdapter: ${path}: no such file; expected an adapter as peft saves it; check the path`,
    { source: path, reason: "ENOENT" },
  );
}
