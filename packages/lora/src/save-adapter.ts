import type { Store } from "@kto/core";
import { writeSafetensors } from "@kto/safetensors";
import { ADAPTER_METADATA, adapterTensors, type LoraContent } from "./adapter-files.js";
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, adapterSubfolder, DEFAULT_ADAPTER } from "./adapter-names.js";
import { formatAdapterConfig } from "./config-file.js";
import type { LoraConfig } from "./config.js";
import { adapterModelCard } from "./model-card.js";
import type { SavedEmbeddings } from "./saved-embeddings.js";
import type { LoraTarget } from "./target-modules.js";

/** What `saveAdapter` writes. */
export interface AdapterToSave {
  config: LoraConfig;
  targets: readonly LoraTarget[];
  /** By module path. */
  weights: ReadonlyMap<string, LoraContent>;
  /** Embedding and head that it brought, written as they came. */
  embeddings?: SavedEmbeddings | undefined;
  /** Any name but "default" makes a folder of that name inside. */
  adapterName?: string;
  /** More tags for the model card. */
  tags?: readonly string[];
  signal?: AbortSignal;
}

/**
 * Writes `adapter_model.safetensors`, `adapter_config.json` and, where there is none, `README.md`, as peft does.
 *
 * Each file is written whole or not at all, the config last, so that a folder that has one is complete.
 * Returns the store of the files. Throws WriteError when the store refuses.
 */
export async function saveAdapter(
  store: Store,
  { config, targets, weights, embeddings, adapterName = DEFAULT_ADAPTER, tags, signal }: AdapterToSave,
): Promise<Store> {
  const inner = adapterSubfolder(adapterName);
  const folder = inner === "" ? store : store.folder(inner);
  const tensors = adapterTensors(targets, weights, embeddings);
  await folder.write(ADAPTER_WEIGHTS_FILE, async (sink) => {
    await writeSafetensors(sink, tensors, { metadata: ADAPTER_METADATA, ...(signal && { signal }) });
  });
  const card = await folder.open("README.md");
  await card?.dispose?.();
  if (!card) await folder.write("README.md", adapterModelCard(config, tags));
  await folder.write(ADAPTER_CONFIG_FILE, formatAdapterConfig(config));
  return folder;
}
