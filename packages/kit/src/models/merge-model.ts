import { storeAt } from "#platform";
import { ArgumentError, type ByteDirectory, type Store } from "@kto/core";
import { mergedWeights, writeMerged, type AdapterToMerge, type MergedModel, type ModelOnDisk, type WriteMergedOptions } from "@kto/merge";
import { openCheckpoint } from "@kto/safetensors";
import { openAdapterWeights } from "./adapter-file.js";
import { belongingsOf, tokenizerFilesIn } from "./belongings.js";
import { readJsonFile } from "./json-file.js";
import type { AdapterFiles, ModelFiles } from "./model-files.js";

/** An adapter to merge, and the factor of all that it adds. */
export interface WeightedAdapter {
  readonly files: AdapterFiles;
  /** Default 1. */
  readonly weight?: number | undefined;
}

/** How a model is merged and written. */
export interface MergeModelOptions extends Pick<WriteMergedOptions, "dtype" | "maxShardBytes" | "signal" | "onPlan" | "onProgress"> {
  /** The 16-bit model that `model` was quantised from: the adapters are added to its weights instead of dequantised ones. */
  readonly base?: ModelFiles | undefined;
  /** Tokenizer files to write; default those of the adapter where there is one that has them, else the model's. */
  readonly tokenizer?: { files(): ReadonlyMap<string, string | Uint8Array> } | undefined;
}

/** What was merged, and whose tokenizer files lie beside it. */
export interface MergedModelFiles extends MergedModel {
  readonly tokenizer: "given" | "adapter" | "model" | "base" | undefined;
}

/**
 * Writes a model with adapters merged into its weights as a model of its own, streamed from its files: no device is needed, and some rows are held at a time.
 * Several adapters add up, each times its weight. Tokenizer, template, generation config and licence come along; config.json, last, says what the weights are.
 *
 * @param place  a folder of that path (in a browser of the page's private files), made where there is none, or a store
 * @throws as `mergedWeights` and `writeMerged` of `@kto/merge`; SourceError for an adapter without weights
 */
export async function mergeModel(
  model: ModelFiles,
  adapters: readonly WeightedAdapter[],
  place: string | Store,
  { base, tokenizer, ...options }: MergeModelOptions = {},
): Promise<MergedModelFiles> {
  const open: { dispose(): Promise<void> }[] = [];
  const opening = async <File extends { dispose(): Promise<void> }>(file: Promise<File>): Promise<File> => {
    open.push(await file);
    return file;
  };
  try {
    const toMerge: AdapterToMerge[] = [];
    for (const { files, weight } of adapters)
      toMerge.push({ config: files.config, tensors: await opening(openAdapterWeights(files.directory)), weight, name: files.name });
    const onDisk = async ({ directory, config }: ModelFiles): Promise<ModelOnDisk> => ({
      checkpoint: await opening(openCheckpoint(directory)),
      config,
    });
    const weights = await mergedWeights(await onDisk(model), {
      adapters: toMerge,
      base16: base && (await onDisk(base)),
      signal: options.signal,
    });
    const [only, ...others] = adapters;
    const ofAdapter = !tokenizer && only && others.length === 0 ? await tokenizerFilesIn(only.files.directory) : undefined;
    const { files, from } = await belongingsOf(model, { tokenizer: tokenizer?.files() ?? ofAdapter, base });
    const configJson = await readConfig(model.directory);
    const merged = await writeMerged(typeof place === "string" ? storeAt(place) : place, weights, { ...options, configJson, files });
    return { ...merged, tokenizer: tokenizer ? "given" : ofAdapter ? "adapter" : from };
  } finally {
    for (const file of open) await file.dispose();
  }
}

/** The fields of a config.json that `openModel` read. */
async function readConfig(directory: ByteDirectory): Promise<Readonly<Record<string, unknown>>> {
  const json = await readJsonFile(directory, "config.json", { where: `${directory.name}/config.json`, advice: "copy it again" });
  if (typeof json === "object" && json !== null) return json as Record<string, unknown>;
  throw new ArgumentError(
    `mergeModel: ${directory.name} has no config.json any more; expected the model that openModel found; open it again`,
  );
}
