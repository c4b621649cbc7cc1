import { readFile } from "node:fs/promises";
import { DataFileError, type DataRow, type Dataset } from "@kto/datasets";
import { folderDirectory, loadDataset } from "@kto/datasets/node";
import { hub } from "@kto/hub/node";
import { ConfigError } from "../errors.js";
import { downloading, type HubAccess } from "./hub-access.js";
import { orNoFolder } from "./hub-model.js";
import { isFolder, isHubId } from "./place.js";

/** How much of a data file is read. */
export interface DataFileOptions {
  /** The first so many rows. */
  maxRows?: number | null;
  signal?: AbortSignal | undefined;
}

/** Which rows of a data set are read; of a single file, which has no splits, `split` and `config` say nothing. */
export interface DataChoice extends DataFileOptions {
  split?: string | null;
  config?: string | null;
}

/** Rows of a local data file. Throws DataFileError, FormatError (with the line) for one that cannot be read or holds nothing. */
export async function openDataFile(path: string, { maxRows, signal }: DataFileOptions = {}): Promise<Dataset<DataRow>> {
  if (isHubId(path)) {
    throw new DataFileError(
      `data: ${path} does not exist; expected a data file, got no such path; a data set of the hub is named with dataset_name`,
      { file: path },
    );
  }
  return expectRows(await loadDataset(path, readOptions({ maxRows, signal })), path);
}

/**
 * Rows of a data file, or of a split of a folder or of a data set of the hub, of which only the files of that split are fetched, and of those only
 * as many as `maxRows` takes. Throws as {@link openDataFile}, `findSplitFiles`, and HubError.
 */
export async function openData(place: string, access: HubAccess, choice: DataChoice = {}): Promise<Dataset<DataRow>> {
  const { split, config } = choice;
  const options = { ...readOptions(choice), ...(split ? { split } : {}), ...(config ? { config } : {}) };
  if (isFolder(place)) return expectRows(await loadDataset(folderDirectory(place), options), place);
  if (!isHubId(place)) return openDataFile(place, choice);
  return downloading(access, () =>
    orNoFolder(place, async () => {
      const source = hub(place, { ...access.options, repoType: "dataset" });
      const dataset = expectRows(await loadDataset(source, options), place);
      access.commits.set(`datasets/${place}`, (await source.resolve()).commit);
      return dataset;
    }),
  );
}

function readOptions({ maxRows, signal }: DataFileOptions): { maxRows?: number; signal?: AbortSignal } {
  return { ...(maxRows ? { maxRows } : {}), ...(signal ? { signal } : {}) };
}

function expectRows(dataset: Dataset<DataRow>, place: string): Dataset<DataRow> {
  if (dataset.length > 0) return dataset;
  throw new DataFileError(`data: ${place} has no rows; expected at least 1, got 0; check that it was written completely`, { file: place });
}

/** A chat template given by the user: the text itself, or a file that holds it. Throws ConfigError when it is neither. */
export async function readChatTemplate(given: string | null | undefined): Promise<string | undefined> {
  if (given === null || given === undefined) return undefined;
  if (/\{[{%]/.test(given)) return given;
  try {
    return await readFile(given, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ConfigError([
      `chat_template: not usable; expected Jinja text or a file that holds it, got ${JSON.stringify(given)} (${code === "ENOENT" ? "no such file" : code}); check the path`,
    ]);
  }
}
