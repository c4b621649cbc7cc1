import { excerpt } from "@kto/core";
import { LoraConfigError } from "./errors.js";

/** Name of the adapter that lies in the folder itself; others lie in a folder of their name. */
export const DEFAULT_ADAPTER = "default";
/** peft's file names. */
export const ADAPTER_CONFIG_FILE = "adapter_config.json";
export const ADAPTER_WEIGHTS_FILE = "adapter_model.safetensors";

/** What peft puts before a base module's path; the name of the adapter is not in the file. */
const PREFIX = "base_model.model.";

/** Name in the file of one matrix of an adapted layer: `base_model.model.<path>.lora_A.weight`. */
export function adapterTensorName(path: string, matrix: "A" | "B"): string {
  return `${PREFIX}${path}.lora_${matrix}.weight`;
}

/** Name in the file of an embedding or head that the adapter brings: `base_model.model.<path>.weight`. */
export function embeddingTensorName(path: string): string {
  return `${PREFIX}${path}.weight`;
}

/** The path and the matrix that a name in the file stands for; undefined for any other name. */
export function parseAdapterTensorName(name: string): { path: string; matrix: "A" | "B" } | undefined {
  const match = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(name);
  return match === null ? undefined : { path: match[1]!, matrix: match[2] as "A" | "B" };
}

/** The folder of an adapter inside the one it is saved to: "" for the default one, its name for others. */
export function adapterSubfolder(adapterName: string): string {
  if (adapterName === DEFAULT_ADAPTER) return "";
  if (!/^[\w-][\w.-]*$/.test(adapterName))
    throw new LoraConfigError(
      `adapterSubfolder: an adapter's name is the name of its folder; expected letters, digits, ".", "_" and "-", got ${excerpt(adapterName)}`,
      { field: "adapterName" },
    );
  return adapterName;
}
