import { DataFileError, type DataRow, type Dataset, type RowIndexStore } from "@kto/datasets";
import { loadDataset as loadFile } from "@kto/datasets/node";
import { loadDataset, openAdapter, openModel, openTokenizer, type AdapterFiles, type ModelFiles } from "@kto/kit";
import { isFolder, isHubId } from "@kto/kit/node";
import type { Console } from "../render/console.js";
import { downloading, type HubAccess } from "./hub-access.js";

/** How a model is chosen. */
export interface ModelChoice {
  /** `model_revision`; the name may hold one instead. */
  revision?: string;
  /** Take the checkpoint in four bits that the hub has of this model. */
  prefer4bitCheckpoint?: boolean;
}

/** Finds and fetches a model and looks at it, as `openModel` of the kit; says what was taken, and remembers the commit. */
export async function findModel(given: string, access: HubAccess, console: Console, choice: ModelChoice = {}): Promise<ModelFiles> {
  if (choice.prefer4bitCheckpoint && !isHubId(given)) console.note("prefer_4bit_checkpoint has no effect on a folder");
  const onNote = (note: string): void => console.line(note);
  const files = await downloading(access, () => openModel(given, { ...access.place, ...choice, onNote }));
  if (files.hub) access.commits.set(files.hub.id, files.hub.commit);
  return files;
}

/** Finds and fetches an adapter and reads its config. */
export async function findAdapter(given: string, access: HubAccess): Promise<AdapterFiles> {
  const files = await downloading(access, () => openAdapter(given, access.place));
  if (files.hub) access.commits.set(files.hub.id, files.hub.commit);
  return files;
}

/** The tokenizer of a model, without its weights. */
export function findTokenizer(given: string, access: HubAccess): Promise<ModelFiles["tokenizer"]> {
  return downloading(access, () => openTokenizer(given, access.place));
}

/** Which rows of a data set are read. A single file has no splits or configurations: asking for one is an ArgumentError. */
export interface DataChoice {
  split?: string | null;
  config?: string | null;
  /** The first so many rows. */
  maxRows?: number | null;
  /** Where the index of a large file is kept. */
  rowIndex?: RowIndexStore | undefined;
  /** Is told what of the data is left out. */
  onNote?(note: string): void;
}

/** Rows of a local data file. Throws DataFileError, FormatError (with the line) for one that cannot be read or holds nothing. */
export async function openDataFile(path: string, access: HubAccess, choice: DataChoice = {}): Promise<Dataset<DataRow>> {
  if (isHubId(path)) {
    throw new DataFileError(
      `data: ${path} does not exist; expected a data file, got no such path; a data set of the hub is named with dataset_name`,
      { file: path },
    );
  }
  if (isFolder(path)) return loadFile(path); // which says that it is one
  return openData(path, access, choice);
}

/** Rows of a data file, or of a split of a folder or of a data set of the hub, read with a bar; remembers the commit. Throws as `loadDataset` of the kit. */
export async function openData(
  place: string,
  access: HubAccess,
  { split, config, maxRows, rowIndex, onNote }: DataChoice = {},
): Promise<Dataset<DataRow>> {
  const { hub, signal } = access.place;
  const options = { split: split ?? undefined, config: config ?? undefined, maxRows: maxRows ?? undefined, rowIndex, hub, signal, onNote };
  using progress = access.console.progress("reading data", "bytes");
  const read = (): Promise<Dataset> =>
    loadDataset(place, {
      ...options,
      onProgress: ({ loadedBytes: done, totalBytes: total }) => progress.update({ done, total }),
      onCommit: (commit) => access.commits.set(`datasets/${place}`, commit),
    });
  return await (isHubId(place) ? downloading(access, read) : read());
}
