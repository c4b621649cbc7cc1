import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SourceError } from "@kto/core";
import { openSafetensorsFile } from "@kto/safetensors/node";
import type { ModuleTree } from "@kto/tensor";
import { readAdapterWeights } from "../adapter-files.js";
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, adapterSubfolder, DEFAULT_ADAPTER } from "../adapter-names.js";
import { parseAdapterConfig } from "../config-file.js";
import type { LoraConfig } from "../config.js";
import { LoraConfigError } from "../errors.js";
import type { LoraWeights } from "../init.js";
import { resolveTargets, type LoraTarget } from "../target-modules.js";

/** An adapter as it lies on disk, fitted to a model. */
export interface LoadedAdapter {
  readonly config: LoraConfig;
  readonly targets: readonly LoraTarget[];
  /** By module path. */
  readonly weights: ReadonlyMap<string, LoraWeights>;
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
