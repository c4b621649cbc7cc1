import type { ByteDirectory } from "@kto/core";
import { PeftModel, readAdapter, type AdaptableModel } from "@kto/lora";
import type { PlaceOptions } from "../platform/types.js";
import type { AdapterFiles } from "./model-files.js";
import { openAdapter } from "./open-model.js";

/** How an adapter is loaded. */
export interface LoadAdapterOptions extends PlaceOptions {
  /** Default "default"; another name is also the folder inside that peft keeps it in. */
  adapterName?: string | undefined;
  /** Whether it can be trained further (peft's `is_trainable`); default true. */
  isTrainable?: boolean | undefined;
}

/**
 * A model with a saved adapter on it. Disposing it leaves the model as it was.
 *
 * @param place  a folder, an address (browser), a name on the hub, a directory of files, or what `openAdapter` gave
 * @throws SourceError, LoraConfigError, LoraTargetError, AdapterFileError, HubError
 */
export async function loadAdapter<Model extends AdaptableModel>(
  model: Model,
  place: string | ByteDirectory | AdapterFiles,
  options: LoadAdapterOptions = {},
): Promise<PeftModel<Model>> {
  const { adapterName, isTrainable = true } = options;
  const { directory } = typeof place === "object" && "directory" in place ? place : await openAdapter(place, options);
  const { config, weights, embeddings } = await readAdapter(directory, model, adapterName);
  const adapted = new PeftModel(model);
  try {
    adapted.addAdapter(config, { weights, embeddings, isTrainable, ...(adapterName === undefined ? {} : { adapterName }) });
    return adapted;
  } catch (error) {
    adapted.dispose();
    throw error;
  }
}
