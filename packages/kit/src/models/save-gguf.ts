import { storeAt } from "#platform";
import type { Store } from "@kto/core";
import { type ExportedGguf, exportGguf, type ExportGgufOptions, type GgufFileType } from "@kto/gguf-export";
import { openGgufModel, type OpenGgufModel } from "./gguf-model.js";
import type { AdapterFiles, ModelFiles } from "./model-files.js";
import { writeModelfile } from "./modelfile.js";

/** How a model is saved as GGUF. */
export interface SaveGgufOptions extends Omit<ExportGgufOptions, "store" | "types" | "out"> {
  /** Kinds of files, all from one read; default `["Q4_K_M"]`. */
  readonly types?: readonly GgufFileType[] | undefined;
  /** Merged on the way. */
  readonly adapter?: AdapterFiles | undefined;
  /** Is told what one should know of the files, and what became of the Modelfile, where that is not what one would expect. */
  onNote?(note: string): void;
}

/** A model that was saved as GGUF. */
export interface SavedGguf {
  readonly files: readonly ExportedGguf[];
  /** What the files were made of: plain weights, or dequantised ones. */
  readonly base: OpenGgufModel["base"];
}

/**
 * Saves a model, an adapter merged on the way, as GGUF files for llama.cpp and Ollama, named as llama.cpp's converter names them, with a Modelfile beside them: Unsloth's
 * `save_pretrained_gguf`. No device is needed.
 *
 * @param place  a folder of that path (in a browser of the page's private files), made where there is none, or a store
 * @throws as `openGgufModel`, and as `exportGguf` of `@kto/gguf-export`
 */
export async function savePretrainedGguf(
  files: ModelFiles,
  place: string | Store,
  { types = ["Q4_K_M"], adapter, onNote, ...options }: SaveGgufOptions = {},
): Promise<SavedGguf> {
  const store = typeof place === "string" ? storeAt(place) : place;
  const model = await openGgufModel(files, { adapter, signal: options.signal });
  try {
    for (const note of model.notes) onNote?.(note);
    const { files: written } = await exportGguf(model, { ...options, store, types, out: "." });
    const { note } = await writeModelfile(written, { files, model, store });
    if (note !== undefined) onNote?.(note);
    return { files: written, base: model.base };
  } finally {
    await model.dispose();
  }
}
