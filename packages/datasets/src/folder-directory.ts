import { join } from "node:path";
import { SourceError, type ListedDirectory } from "@kto/core";
import { fileDirectory } from "@kto/core/node";

import { DataFileError } from "./errors.js";
import { openFile } from "./file-source.js";

/** A folder on disk as a data set of several files, for `loadDataset`; links to files count as files. Listing throws `DataFileError` for no folder. */
export function folderDirectory(path: string): ListedDirectory {
  return {
    name: path,
    list: () =>
      fileDirectory(path)
        .list()
        .catch((cause: unknown) => {
          if (!(cause instanceof SourceError)) throw cause;
          throw new DataFileError(
            `loadDataset: ${path} cannot be listed (${cause.reason}); expected a folder with data files; check the path`,
            { file: path, cause },
          );
        }),
    open: (fileName) => openFile("loadDataset", join(path, fileName)),
  };
}
