import type { ByteDirectory } from "@kto/core";
import { fileDirectory } from "@kto/core/node";
import type { ModuleTree } from "@kto/tensor";
import type { LoraConfig } from "./config.js";
import { readAdapter, readAdapterConfig as readConfig, type LoadedAdapter } from "./load-adapter.js";

export type { LoadedAdapter } from "./load-adapter.js";

/** `readAdapterConfig` of `@kto/lora`, also for the path of a folder. */
export function readAdapterConfig(folder: string | ByteDirectory, adapterName?: string): Promise<LoraConfig> {
  return readConfig(directoryOf(folder), adapterName);
}

/** `readAdapter` of `@kto/lora`, also for the path of a folder. */
export function loadAdapter(folder: string | ByteDirectory, model: ModuleTree, adapterName?: string): Promise<LoadedAdapter> {
  return readAdapter(directoryOf(folder), model, adapterName);
}

const directoryOf = (folder: string | ByteDirectory): ByteDirectory => (typeof folder === "string" ? fileDirectory(folder) : folder);
