import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { ListedDirectory } from "../bytes/directory.js";
import { SourceError } from "../errors.js";
import { fileSource } from "./file-source.js";

/** A folder on disk; links to files count as files. Throws SourceError when what is at `path` is no folder, or a listed one is not there. */
export function fileDirectory(path: string): ListedDirectory {
  return {
    name: path,
    async open(fileName) {
      try {
        return await fileSource(join(path, fileName));
      } catch (error) {
        if (!(error instanceof SourceError)) throw error;
        if (error.reason === "ENOENT") return undefined;
        if (error.reason === "ENOTDIR") throw noFolderError("fileDirectory", path, error);
        throw error;
      }
    },
    async list() {
      const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
        throw new SourceError(`fileDirectory: ${path} cannot be listed; expected a folder, got ${cause.code}; check the path`, {
          source: path,
          ...(cause.code === undefined ? {} : { reason: cause.code }),
          cause,
        });
      });
      const files = await Promise.all(
        entries
          .filter((entry) => entry.isFile() || entry.isSymbolicLink())
          .map(async (entry) => {
            const file = join(entry.parentPath, entry.name);
            const stats = await stat(file).catch(() => undefined);
            return stats?.isFile() ? [{ path: relative(path, file).split(sep).join("/"), size: stats.size }] : [];
          }),
      );
      return files.flat();
    },
  };
}

/** A file was given where the folder of a model is wanted. */
export function noFolderError(operation: string, path: string, cause?: unknown): SourceError {
  const advice = /\.(gguf|bin|pt|pth|ckpt)$/i.test(path)
    ? `${/\.gguf$/i.test(path) ? "GGUF" : "pickle"} files are not read, take the model's safetensors`
    : "check the path";
  return new SourceError(`${operation}: ${path}: is no folder; expected a model folder with model.safetensors; ${advice}`, {
    source: path,
    reason: "ENOTDIR",
    cause,
  });
}
