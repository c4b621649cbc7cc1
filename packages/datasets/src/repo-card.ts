import { excerpt, FormatError, type ListedDirectory } from "@kto/core";
import { isObject } from "./jsonl.js";
import { readBytes } from "./source.js";

/** One configuration of a data set, as the head of its README.md declares it. */
export interface RepoConfig {
  name: string;
  isDefault: boolean;
  /** Patterns of the files of each split; undefined when only a folder is named. */
  splits: Map<string, string[]> | undefined;
  /** Folder that the data lies in; `""` is the root. */
  dataDir: string;
}

const CARD = "README.md";

/** Cards with the features of hundreds of configurations stay below this. */
const MAX_CARD_BYTES = 16 * 2 ** 20;

/** The `configs` in the YAML head of README.md; none without such a head. Throws `FormatError` for a head that cannot be understood. */
export async function readRepoConfigs(directory: ListedDirectory): Promise<RepoConfig[]> {
  const name = `${directory.name}/${CARD}`;
  const head = await readHead(directory, name);
  if (head === undefined) return [];
  const { parse } = await import("yaml"); // here, so that a page that reads files does without it
  let card: unknown;
  try {
    card = parse(head) as unknown;
  } catch (cause) {
    throw new FormatError(
      `loadDataset: the head of ${name} is not YAML; expected "configs:" and the like, got "${(cause as Error).message}"; mend it`,
      { source: name, cause },
    );
  }
  const configs = isObject(card) ? (card["configs"] ?? []) : [];
  if (!Array.isArray(configs)) throw malformed("configs", "a list", configs, name);
  return configs.map((config, index) => readConfig(config, index, name));
}

/** The text between the two lines `---` that README.md begins with. */
async function readHead(directory: ListedDirectory, name: string): Promise<string | undefined> {
  const source = await directory.open(CARD);
  if (!source) return undefined;
  try {
    const bytes = await readBytes(source, 0, Math.min(source.byteLength, MAX_CARD_BYTES), name);
    return /^---[ \t]*\r?\n(.*?)^---[ \t]*\r?$/ms.exec(new TextDecoder().decode(bytes))?.[1];
  } finally {
    await source.dispose?.();
  }
}

function readConfig(config: unknown, index: number, file: string): RepoConfig {
  const field = `configs[${index}]`;
  if (!isObject(config)) throw malformed(field, "{config_name, data_files}", config, file);
  const { config_name: name, data_files: files, data_dir: dataDir } = config;
  if (typeof name !== "string") throw malformed(`${field}.config_name`, "a name", name, file);
  return {
    name,
    isDefault: config["default"] === true || name === "default",
    splits: files === undefined || files === null ? undefined : readSplits(files, `${field}.data_files`, file),
    dataDir: typeof dataDir === "string" ? dataDir.replace(/^(\.?\/)+|\/+$/g, "") : "",
  };
}

/** `data/*.csv`, `[a.csv, b.csv]` (both the split train) or `[{split, path}, …]`. */
function readSplits(files: unknown, field: string, file: string): Map<string, string[]> {
  const splits = new Map<string, string[]>();
  for (const entry of [files].flat()) {
    const { split, path } = isObject(entry) ? entry : { split: "train", path: entry };
    const patterns = [path].flat();
    if (typeof split !== "string" || !patterns.every((pattern) => typeof pattern === "string")) {
      throw malformed(field, "paths, or a list of {split, path}", entry, file);
    }
    splits.set(split, [...(splits.get(split) ?? []), ...patterns]);
  }
  return splits;
}

function malformed(field: string, expected: string, got: unknown, file: string): FormatError {
  return new FormatError(`loadDataset: ${field} in the head of ${file} is malformed; expected ${expected}, got ${excerpt(got)}; mend it`, {
    source: file,
  });
}
