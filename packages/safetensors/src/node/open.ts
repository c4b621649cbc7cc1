import { stat } from "node:fs/promises";
import { SourceError } from "@kto/core";
import { fileDirectory, fileSource, noFolderError } from "@kto/core/node";
import { type Checkpoint, openCheckpoint } from "../checkpoint.js";
import { type SafetensorsFile, openSafetensors } from "../safetensors-file.js";

/**
 * Opens a safetensors file; `dispose()` closes it.
 *
 * @throws SourceError when it cannot be read, FormatError when it is not well-formed
 */
export async function openSafetensorsFile(path: string): Promise<SafetensorsFile> {
  const source = await fileSource(path);
  try {
    return await openSafetensors(source);
  } catch (error) {
    await source.dispose();
    throw error;
  }
}

/**
 * Opens the weights of a model folder in Hugging Face layout, one file or shards; `dispose()` closes them.
 *
 * @throws SourceError when there is no such folder; otherwise as `openCheckpoint`
 */
export async function openModelDir(path: string): Promise<Checkpoint> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return openCheckpoint(fileDirectory(path));
  if (found) throw noFolderError("openModelDir", path);
  throw new SourceError(`openModelDir: ${path}: no such folder; expected a model folder with model.safetensors; check the path`, {
    source: path,
    reason: "ENOENT",
  });
}
