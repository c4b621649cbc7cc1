import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SourceError, WriteError } from "@kto/core";
import { writeFileAtomic } from "@kto/core/node";
import { openSafetensorsFile, writeSafetensorsFile } from "@kto/safetensors/node";
import type { ModuleTree } from "@kto/tensor";
import { ADAPTER_METADATA, adapterTensors, readAdapterWeights, type LoraContent } from "../adapter-files.js";
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, adapterSubfolder, DEFAULT_ADAPTER } from "../adapter-names.js";
import { formatAdapterConfig, parseAdapterConfig } from "../config-file.js";
import type { LoraConfig } from "../config.js";
import { LoraConfigError } from "../errors.js";
import type { LoraWeights } from "../init.js";
import { adapterModelCard } from "../model-card.js";
import { resolveTargets, type LoraTarget } from "../target-modules.js";

/** An adapter as it lies on disk, fitted to a model. */
export interface LoadedAdapter {
  readonly config: LoraConfig;
  readonly targets: readonly LoraTarget[];
  /** By module path. */
  readonly weights: ReadonlyMap<string, LoraWeights>;
}

export interface AdapterToSave {
  config: LoraConfig;
  targets: readonly LoraTarget[];
  /** By module path. */
  weights: ReadonlyMap<string, LoraContent>;
  /** Any name but "default" makes a folder of that name inside. */
  adapterName?: string;
  /** More tags for the model card. */
  tags?: readonly string[];
  signal?: AbortSignal;
}

/**
 * The config of an adapter that peft or this package saved.
 *
 * Throws SourceError when the file cannot be read, LoraConfigError (with the path) when it is not usable.
 */
export async function readAdapterConfig(folder: string, adapterName: string = DEFAULT_ADAPTER): Promise<LoraConfig> {
  const path = join(folder, adapterSubfolder(adapterName), ADAPTER_CONFIG_FILE);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code;
    const what = reason === "ENOENT" ? "no such file; expected the folder of an adapter" : `cannot be read; got ${reason}`;
    throw new SourceError(`readAdapterConfig: ${path}: ${what}; check the path`, { source: path, reason, cause });
  }
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
 * Throws as `readAdapterConfig`, `resolveTargets`, `openSafetensorsFile` and `readAdapterWeights`.
 */
export async function loadAdapter(folder: string, model: ModuleTree, adapterName: string = DEFAULT_ADAPTER): Promise<LoadedAdapter> {
  const read = await readAdapterConfig(folder, adapterName);
  const { config, targets } = resolveTargets(model, read);
  const path = join(folder, adapterSubfolder(adapterName), ADAPTER_WEIGHTS_FILE);
  await expectWeights(path);
  const file = await openSafetensorsFile(path);
  try {
    return { config, targets, weights: await readAdapterWeights(file, targets) };
  } finally {
    await file.dispose();
  }
}

/**
 * Writes `adapter_model.safetensors`, `adapter_config.json` and, where there is none, `README.md`, as peft does.
 *
 * Each file is written whole or not at all, the config last, so that a folder that has one is complete.
 * Returns the folder. Throws WriteError when the file system refuses.
 */
export async function saveAdapter(
  folder: string,
  { config, targets, weights, adapterName = DEFAULT_ADAPTER, tags, signal }: AdapterToSave,
): Promise<string> {
  const target = join(folder, adapterSubfolder(adapterName));
  const tensors = adapterTensors(targets, weights);
  await mkdir(target, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new WriteError(`saveAdapter: ${target} cannot be made a folder; got ${cause.code}`, { path: target, reason: cause.code, cause });
  });
  await writeSafetensorsFile(join(target, ADAPTER_WEIGHTS_FILE), tensors, { metadata: ADAPTER_METADATA, signal });
  const card = join(target, "README.md");
  if (!(await exists(card))) await writeText(card, adapterModelCard(config, tags));
  await writeText(join(target, ADAPTER_CONFIG_FILE), formatAdapterConfig(config));
  return target;
}

async function expectWeights(path: string): Promise<void> {
  const pickle = path.replace(/safetensors$/, "bin");
  if ((await exists(path)) || !(await exists(pickle))) return;
  throw new SourceError(
    `loadAdapter: ${path}: no such file; expected safetensors, got ${pickle} (a pickle); save the adapter again with a newer peft`,
    {
      source: path,
      reason: "ENOENT",
    },
  );
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
const writeText = (path: string, text: string): Promise<void> =>
  writeFileAtomic(path, (sink) => sink.write(new TextEncoder().encode(text)));
