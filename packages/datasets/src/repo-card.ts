import { excerpt, FormatError, type ListedDirectory } from "@kto/core";
import { isObject } from "./data-row.js";
import { isLiteralPath } from "./path-pattern.js";
import { readBytes } from "./source.js";
import { MAX_YAML_LENGTH, parseYaml } from "./yaml.js";

/** One configuration of a data set, as the head of its README.md declares it. */
export interface RepoConfig {
  name: string;
  isDefault: boolean;
  /** True if it declares files, and not only a folder. */
  hasFiles: boolean;
  /** Patterns of the files of each split. Throws `FormatError` for a declaration that is malformed. */
  splits(): Map<string, string[]>;
  /** Folder that the data lies in; `""` is the root. */
  dataDir: string;
}

const CARD = "README.md";

/** No system takes longer paths. */
const MAX_PATTERN_LENGTH = 4096;

/** Patterns with wildcards that one configuration may have: each is held against every file. */
const MAX_WILDCARDS = 1000;

/** The `configs` in the YAML head of README.md; none without such a head. Throws `FormatError` for a head that cannot be understood. */
export async function readRepoConfigs(directory: ListedDirectory): Promise<RepoConfig[]> {
  const name = `${directory.name}/${CARD}`;
  const head = await readHead(directory, name);
  const card = head === undefined ? undefined : await parseYaml(head, { name, part: `the head of ${name}`, firstLine: 2 });
  const configs = isObject(card) ? (card["configs"] ?? []) : [];
  if (!Array.isArray(configs)) throw malformed("configs", "a list", configs, name);
  const read = configs.map((config, index) => readConfig(config, `configs[${index}]`, name));
  const names = new Set(read.map((config) => config.name));
  if (names.size < read.length)
    throw malformed(
      "configs",
      "a list without repeated names",
      read.map((config) => config.name),
      name,
    );
  return read;
}

/** The text between the two lines `---` that README.md begins with. */
async function readHead(directory: ListedDirectory, name: string): Promise<string | undefined> {
  const source = await directory.open(CARD);
  if (!source) return undefined;
  try {
    const bytes = await readBytes(source, 0, Math.min(source.byteLength, MAX_YAML_LENGTH), name);
    const text = new TextDecoder().decode(bytes);
    const head = /---[ \t]*\r?\n(.*?)^---[ \t]*\r?$/msy.exec(text);
    if (head !== null) return head[1];
    if (!/^---[ \t]*\r?\n/.test(text) || source.byteLength <= MAX_YAML_LENGTH) return undefined;
    throw new FormatError(
      `loadDataset: the head of ${name} is too long; expected a second line "---" within ${MAX_YAML_LENGTH} bytes, got none; shorten it`,
      { source: name },
    );
  } finally {
    await source.dispose?.();
  }
}

function readConfig(config: unknown, field: string, file: string): RepoConfig {
  if (!isObject(config)) throw malformed(field, "{config_name, data_files}", config, file);
  const { config_name: name, data_files: files = null, data_dir: dataDir = null, default: isDefault = null } = config;
  if (typeof name !== "string") throw malformed(`${field}.config_name`, "a name", name, file);
  if (dataDir !== null && typeof dataDir !== "string") throw malformed(`${field}.data_dir`, "a folder", dataDir, file);
  if (isDefault !== null && typeof isDefault !== "boolean") throw malformed(`${field}.default`, "true or false", isDefault, file);
  return {
    name,
    isDefault: isDefault === true || name === "default",
    hasFiles: files !== null,
    splits: () => readSplits(files, `${field}.data_files`, file),
    dataDir: (dataDir ?? "").replace(/^(?:\.?\/)+/, "").replace(/\/+$/, ""),
  };
}

/** `data/*.csv`, `[a.csv, b.csv]` (both the split train) or `[{split, path}, …]`. */
function readSplits(files: unknown, field: string, file: string): Map<string, string[]> {
  const splits = new Map<string, string[]>();
  let wildcards = 0;
  for (const entry of [files].flat()) {
    const { split, path } = isObject(entry) ? entry : { split: "train", path: entry };
    if (isObject(entry) && typeof split === "string" && splits.has(split)) throw malformed(field, "each split once", entry, file);
    for (const pattern of [path].flat()) {
      if (typeof split !== "string" || typeof pattern !== "string" || pattern.length > MAX_PATTERN_LENGTH) {
        throw malformed(field, "paths, or a list of {split, path}", entry, file);
      }
      if (!isLiteralPath(pattern) && ++wildcards > MAX_WILDCARDS) throw malformed(field, `at most ${MAX_WILDCARDS} patterns`, files, file);
      const patterns = splits.get(split);
      if (patterns === undefined) splits.set(split, [pattern]);
      else patterns.push(pattern);
    }
  }
  return splits;
}

function malformed(field: string, expected: string, got: unknown, file: string): FormatError {
  return new FormatError(`loadDataset: ${field} in the head of ${file} is malformed; expected ${expected}, got ${excerpt(got)}; mend it`, {
    source: file,
  });
}
