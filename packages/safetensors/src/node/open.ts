import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Checkpoint, openCheckpoint } from "../checkpoint.js";
import type { ByteDirectory } from "../directory.js";
import { SourceError } from "../errors.js";
import { type SafetensorsFile, openSafetensors } from "../safetensors-file.js";
import { fileSource } from "./file-source.js";

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

/** A folder on disk, for `openCheckpoint`. */
export function fileDirectory(path: string): ByteDirectory {
  return {
    name: path,
    async open(fileName) {
      try {
        return await fileSource(join(path, fileName));
      } catch (error) {
        if (!(error instanceof SourceError)) throw error;
        if (error.reason === "ENOENT") return undefined;
        if (error.reason === "ENOTDIR") throw noFolder("fileDirectory", path, error);
        throw error;
      }
    },
  };
}

/**
 * Opens the weights of a model folder in Hugging Face layout, one file or shards; `dispose()` closes them.
 *
 * @throws SourceError when there is no such folder; otherwise as `openCheckpoint`
 */
export async function openModelDir(path: string): Promise<Checkpoint> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return openCheckpoint(fileDirectory(path));
  if (found) throw noFolder("openModelDir", path);
  throw new SourceError(`openModelDir: ${path}: no such folder; expected a model folder with model.safetensors; check the path`, {
    source: path,
    reason: "ENOENT",
  });
}

/** A file was given where the folder of a model is wanted. */
function noFolder(operation: string, path: string, cause?: unknown): SourceError {
  const advice = /\.(gguf|bin|pt|pth|ckpt)$/i.test(path)
    ? `${/\.gguf$/i.test(path) ? "GGUF" : "pickle"} files are not read, take the model's safetensors`
    : "check the path";
  return new SourceError(`${operation}: ${path}: is no folder; expected a model folder with model.safetensors; ${advice}`, {
    source: path,
    reason: "ENOTDIR",
    cause,
  });
}
