import { excerpt, type ListedDirectory, shorten } from "@kto/core";
import { dataFileTest, type FolderKind, foldersOfModels, oneFamily } from "./data-files.js";
import { DataFileError, listed } from "./errors.js";
import { isLiteralPath, pathPattern } from "./path-pattern.js";
import { readRepoConfigs, type RepoConfig } from "./repo-card.js";
import { savedSplits } from "./saved-dataset.js";

/** Which part of a data set is meant. */
export interface SplitChoice {
  /** `train`, `test`, …; may be left out where there is only one. Variants (`validation`, `valid`, `val`, `dev`; `test`, `eval`, …) find each other. */
  split?: string;
  /** One of the configurations that README.md declares; default: its default, or the only one. */
  config?: string;
}

/** A split and its files, in the order in which their rows follow each other. */
export interface SplitFiles {
  split: string;
  files: { path: string; size: number }[];
  /** Columns that the data set was saved with (`set_format`, then `save_to_disk`); absent for all. */
  columns?: readonly string[];
  /** What is left out, in sentences: files of another format, patterns that match nothing. */
  notes: string[];
}

/** Words for the same split, as the names of files and folders write them. */
const SPLIT_WORDS: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "val", "dev"],
  test: ["test", "testing", "eval", "evaluation"],
};

const KINDS: Readonly<Record<FolderKind, string>> = {
  model: "the folder of a model",
  adapter: "the folder of an adapter",
  run: "the output of a training run",
};

/**
 * The files of one split of a data set, found as the Python library finds them: what `save_to_disk` wrote by its own lists, else by the `configs` in the
 * head of README.md, else by names `data/train-00000-of-00001.parquet`, else by a split's word in the name of a file or folder, else all files as the split
 * train; of them those of one family of formats. Throws `DataFileError`, which lists what there is, for a split or configuration that does not exist, for a
 * file that README.md names and that is not there, and where no file can be read.
 */
export async function findSplitFiles(directory: ListedDirectory, { split, config }: SplitChoice = {}): Promise<SplitFiles> {
  const files = new Map((await directory.list()).map((file) => [file.path, file]));
  const { paths, ...found } = await findPaths(directory, [...files.keys()], { split, config });
  return { ...found, files: paths.map((path) => files.get(path)!) };
}

/** What {@link findSplitFiles} finds, files by their paths. */
interface SplitPaths extends Omit<SplitFiles, "files"> {
  paths: readonly string[];
}

async function findPaths(directory: ListedDirectory, all: readonly string[], { split, config }: SplitChoice): Promise<SplitPaths> {
  const saved = await savedSplits(directory, new Set(all));
  if (saved !== undefined) {
    if (config !== undefined) throw noConfig(directory.name, config, ["none, since save_to_disk wrote it"]);
    const { paths, columns, ...found } = await saved.get(chooseSplit([...saved.keys()], split, directory.name))!();
    return { split: found.split, paths, notes: [], ...(columns === undefined ? {} : { columns }) };
  }
  const chosen = chooseConfig(await readRepoConfigs(directory), config, directory.name);
  const paths = all.filter((path) => path.startsWith(chosen?.dataDir ? `${chosen.dataDir}/` : "")).sort();
  const isData = dataFileTest(all);
  if (chosen?.hasFiles) return declaredFiles(chosen, paths, isData, split, directory.name);
  const splits = splitsByName(paths.filter(isData), chosen?.dataDir ?? "");
  if (splits.size === 0) throw noData(directory.name, all);
  const name = chooseSplit([...splits.keys()], split, directory.name);
  return oneFormat(name, splits.get(name)!, directory.name, []);
}

function noData(directory: string, paths: readonly string[]): DataFileError {
  const kind = foldersOfModels(paths).values().next().value;
  const what = kind === undefined ? "has no data file" : `is ${KINDS[kind]} and has no data file`;
  const advice = kind === undefined ? "convert it, or name another data set" : "name the file or folder with the rows";
  return new DataFileError(
    `loadDataset: ${directory} ${what}; expected .parquet, .arrow, .jsonl, .json, .csv or .tsv, got ${listedNames(paths)}; ${advice}`,
    { file: directory },
  );
}

function chooseConfig(configs: readonly RepoConfig[], wanted: string | undefined, directory: string): RepoConfig | undefined {
  if (configs.length === 0 && (wanted === undefined || wanted === "default")) return undefined;
  const found =
    wanted === undefined
      ? (configs.find(({ isDefault }) => isDefault) ?? (configs.length === 1 ? configs[0] : undefined))
      : configs.find(({ name }) => name === wanted);
  if (found) return found;
  throw noConfig(directory, wanted, configs.length === 0 ? ["default"] : configs.map(({ name }) => name));
}

function noConfig(directory: string, wanted: string | undefined, names: readonly string[]): DataFileError {
  const problem = wanted === undefined ? `${directory} has several configurations` : `${directory} has no configuration ${excerpt(wanted)}`;
  return new DataFileError(
    `loadDataset: ${problem}; expected one of ${listedNames(names, 50)}, got ${wanted === undefined ? "none" : excerpt(wanted)}; pass { config }`,
    { file: directory },
  );
}

/** The files of a split that a configuration of README.md declares. A file that is named and not there is an error, a pattern that matches nothing a note. */
function declaredFiles(
  config: RepoConfig,
  paths: readonly string[],
  isData: (path: string) => boolean,
  wanted: string | undefined,
  directory: string,
): SplitPaths {
  const splits = config.splits();
  const { dataDir } = config;
  const split = splits.size === 0 ? "train" : chooseSplit([...splits.keys()], wanted, directory);
  const patterns = splits.get(split) ?? [];
  const known = new Set(paths);
  const found: string[] = [];
  const unmatched: string[] = [];
  for (const pattern of patterns) {
    const full = (dataDir === "" ? pattern : `${dataDir}/${pattern}`).replace(/^\.\//, "");
    const matches = isLiteralPath(full) ? (known.has(full) ? [full] : []) : paths.filter(pathPattern(full));
    const data = matches.filter(isData);
    if (data.length === 0) unmatched.push(pattern);
    found.push(...data);
  }
  const missing = unmatched.find(isLiteralPath);
  if (found.length === 0 || missing !== undefined) {
    const what = found.length === 0 ? "none of the data files" : "not all of the data files";
    throw new DataFileError(
      `loadDataset: ${directory} has ${what} that its README.md declares for ${excerpt(split)} of ${excerpt(config.name)}; expected ${listedNames(missing === undefined ? patterns : unmatched)}, got ${listedNames(paths)}; is it complete?`,
      { file: directory },
    );
  }
  const notes =
    unmatched.length === 0
      ? []
      : [`${directory}: no file matches ${listedNames(unmatched)}, which README.md declares for ${shorten(split)}`];
  return oneFormat(split, found, directory, notes);
}

/** Of the files of a split those of one family of formats, with a note on the others. */
function oneFormat(split: string, paths: readonly string[], directory: string, notes: string[]): SplitPaths {
  const { taken, leftOut } = oneFamily(paths);
  if (leftOut.length === 0) return { split, paths: taken, notes };
  const note = `${directory}: ${listedNames(leftOut)} ${leftOut.length === 1 ? "is" : "are"} not read: a split is read in one format, here that of ${listedNames(taken, 1)}`;
  return { split, paths: taken, notes: [...notes, note] };
}

function splitsByName(data: readonly string[], dataDir: string): Map<string, string[]> {
  const below = (path: string): string => (dataDir === "" ? path : path.slice(dataDir.length + 1));
  const bySplit = (splitsOf: (path: string) => readonly string[]): Map<string, string[]> => {
    const splits = new Map<string, string[]>();
    for (const path of data) {
      for (const split of splitsOf(below(path))) {
        const paths = splits.get(split);
        if (paths === undefined) splits.set(split, [path]);
        else paths.push(path);
      }
    }
    return splits;
  };
  const sharded = bySplit((path) => /^data\/(\w+(?:\.\w+)*)-\d{5}-of-\d{5,}\.\w+(?:\.\w+)?$/.exec(path)?.slice(1) ?? []);
  if (sharded.size > 0) return sharded;
  const named = bySplit((path) => Object.keys(SPLIT_WORDS).filter((split) => SPLIT_WORDS[split]!.some((word) => hasWord(path, word))));
  return named.size > 0 ? named : bySplit(() => ["train"]);
}

/** True if a word stands alone in the name of a file or folder: between dots, dashes, blanks, digits and underscores. */
function hasWord(path: string, word: string): boolean {
  return new RegExp(`(?:^|[-._ 0-9/])${word}(?:[-._ 0-9/]|$)`).test(path);
}

function chooseSplit(splits: readonly string[], wanted: string | undefined, directory: string): string {
  const kindOf = (name: string): string => Object.keys(SPLIT_WORDS).find((kind) => SPLIT_WORDS[kind]!.includes(name)) ?? name;
  const found =
    wanted === undefined
      ? splits.length === 1
        ? splits[0]
        : undefined
      : (splits.find((name) => name === wanted) ?? splits.find((name) => kindOf(name) === kindOf(wanted)));
  if (found !== undefined) return found;
  throw new DataFileError(
    `loadDataset: ${wanted === undefined ? `${directory} has several splits` : `${directory} has no split ${excerpt(wanted)}`}; expected one of ${listedNames(splits, 50)}, got ${wanted === undefined ? "none" : excerpt(wanted)}; name a split that there is`,
    { file: directory },
  );
}

/** Names of files, splits or configurations for a message. */
function listedNames(names: readonly string[], most = 5): string {
  if (names.length === 0) return "no file";
  return listed(
    names.map((name) => shorten(name, 100)),
    most,
  );
}
