import { excerpt, FormatError, type ListedDirectory } from "@kto/core";
import { DataFileError } from "./errors.js";
import { isObject } from "./data-row.js";
import { openListed } from "./source.js";

/** A split of a folder that `save_to_disk` of datasets wrote. */
export interface SavedSplit {
  readonly split: string;
  /** Paths of its Arrow files, in the order of their rows. */
  readonly paths: readonly string[];
  /** The columns that the data set showed when it was saved (`set_format`); undefined for all. */
  readonly columns: readonly string[] | undefined;
}

const STATE = "state.json";
const DICT = "dataset_dict.json";

/**
 * The splits of a folder that `Dataset.save_to_disk` or `DatasetDict.save_to_disk` wrote, by name, each read when it is asked for; undefined for another
 * folder. Throws `DataFileError` where files are missing, `FormatError` where those that describe it are malformed.
 */
export async function savedSplits(
  directory: ListedDirectory,
  paths: ReadonlySet<string>,
): Promise<Map<string, () => Promise<SavedSplit>> | undefined> {
  if (paths.has(DICT)) {
    const dict = await readJsonFile(directory, DICT);
    const names = isObject(dict) ? dict["splits"] : undefined;
    if (!Array.isArray(names) || !names.every((name) => typeof name === "string"))
      throw malformed(directory, DICT, "splits", "a list of names", dict);
    return new Map(
      names.map((name) => [name, async () => readState(directory, paths, `${name}/`, await stateOf(directory, paths, `${name}/`), name)]),
    );
  }
  if (!paths.has(STATE)) return undefined;
  const state = await readJsonFile(directory, STATE).catch(() => undefined);
  if (!isObject(state) || !("_data_files" in state)) return undefined; // a file of another program
  const saved = readState(directory, paths, "", state, "train");
  return new Map([[saved.split, async () => saved]]);
}

async function stateOf(directory: ListedDirectory, paths: ReadonlySet<string>, folder: string): Promise<unknown> {
  if (paths.has(folder + STATE)) return readJsonFile(directory, folder + STATE);
  throw new DataFileError(
    `loadDataset: ${directory.name} was written by save_to_disk and lacks a split; expected ${folder}${STATE}, which ${DICT} names, got none; is it complete?`,
    { file: directory.name },
  );
}

function readState(directory: ListedDirectory, listed: ReadonlySet<string>, folder: string, state: unknown, split: string): SavedSplit {
  const file = folder + STATE;
  if (!isObject(state)) throw malformed(directory, file, "it", "{_data_files}", state);
  const { _data_files: files, _format_columns: columns = null, _output_all_columns: all, _split: named = null } = state;
  const names = Array.isArray(files) ? files.map((entry) => (isObject(entry) ? entry["filename"] : undefined)) : undefined;
  if (!names?.every((name) => typeof name === "string")) throw malformed(directory, file, "_data_files", "a list of {filename}", files);
  for (const field of ["_indices_data_files", "_indices_files"]) {
    const indices = state[field] ?? null;
    if (indices === null || (Array.isArray(indices) && indices.length === 0)) continue;
    throw new FormatError(
      `loadDataset: ${directory.name}/${file} has ${field}; expected rows that were saved in their order, got indices into them, as datasets before 1.7 wrote; load it with load_from_disk and save it again`,
      { source: `${directory.name}/${file}` },
    );
  }
  if (columns !== null && !(Array.isArray(columns) && columns.every((column) => typeof column === "string"))) {
    throw malformed(directory, file, "_format_columns", "a list of columns", columns);
  }
  if (named !== null && typeof named !== "string") throw malformed(directory, file, "_split", "a name", named);
  const paths = names.map((name) => folder + name);
  const missing = paths.find((path) => !listed.has(path));
  if (missing !== undefined) {
    throw new DataFileError(
      `loadDataset: ${directory.name} was written by save_to_disk and is incomplete; expected the file ${missing}, which ${file} names, got none; copy or save it again`,
      { file: directory.name },
    );
  }
  if (paths.length === 0) {
    throw new DataFileError(
      `loadDataset: ${directory.name}/${folder} was saved without a row; expected at least 1, got 0; save the data set again`,
      { file: directory.name },
    );
  }
  return { split: folder === "" ? (named ?? split) : split, paths, columns: columns === null || all === true ? undefined : columns };
}

/** Bytes of the files that describe a saved data set: one with a hundred thousand files stays below. */
const MAX_STATE_BYTES = 16 * 2 ** 20;

async function readJsonFile(directory: ListedDirectory, path: string): Promise<unknown> {
  const name = `${directory.name}/${path}`;
  const source = await openListed(directory, path);
  try {
    if (source.byteLength > MAX_STATE_BYTES) throw malformed(directory, path, "it", `at most ${MAX_STATE_BYTES} bytes`, source.byteLength);
    const text = new TextDecoder().decode(await source.slice(0, source.byteLength));
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new FormatError(
        `loadDataset: ${name} is not JSON; expected what save_to_disk writes, got ${excerpt(text)}; copy or save it again`,
        { source: name, cause },
      );
    }
  } finally {
    await source.dispose?.();
  }
}

function malformed(directory: ListedDirectory, path: string, field: string, expected: string, got: unknown): FormatError {
  const name = `${directory.name}/${path}`;
  return new FormatError(
    `loadDataset: ${field} of ${name} is malformed; expected ${expected}, as save_to_disk writes it, got ${excerpt(got)}; save it again`,
    { source: name },
  );
}
