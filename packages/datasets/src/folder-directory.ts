import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { ListedDirectory } from "@kto/core";

import { DataFileError } from "./errors.js";
import { openFile } from "./file-source.js";

/** A folder on disk as a data set of several files, for `loadDataset`; links to files count as files. Listing throws `DataFileError` for no folder. */
export function folderDirectory(path: string): ListedDirectory {
  return {
    name: path,
    async list() {
      const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
        const code = (cause as NodeJS.ErrnoException).code;
        throw new DataFileError(`loadDataset: ${path} cannot be listed (${code}); expected a folder with data files; check the path`, {
          file: path,
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
    open: (fileName) => openFile("loadDataset", join(path, fileName)),
  };
}
