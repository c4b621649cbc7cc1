import type { ListedDirectory } from "@kto/core";
import { DataFileError } from "./errors.js";
import { formatOfName, type FileFormat } from "./file-format.js";
import { pathPattern } from "./path-pattern.js";
import { readRepoConfigs, type RepoConfig } from "./repo-card.js";

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
}

/** Words for the same split, as the names of files and folders write them. */
const SPLIT_WORDS: Readonly<Record<string, readonly string[]>> = {
  train: ["train", "training"],
  validation: ["validation", "valid", "val", "dev"],
  test: ["test", "testing", "eval", "evaluation"],
};

/** Files that hold no rows, whatever their extension. */
const NO_DATA = new Set(["config.json", "dataset_info.json", "dataset_infos.json"]);

/**
 * The files of one split of a data set, found as the Python library finds them: by the `configs` in the head of README.md, else by names
 * `data/train-00000-of-00001.parquet`, else by a split's word in the name of a file or folder, else all files as the split train.
 * Throws `DataFileError`, which lists what there is, for a split or configuration that does not exist, and where no file can be read.
 */
export async function findSplitFiles(directory: ListedDirectory, { split, config }: SplitChoice = {}): Promise<SplitFiles> {
  const files = new Map((await directory.list()).map((file) => [file.path, file]));
  const chosen = chooseConfig(await readRepoConfigs(directory), config, directory.name);
  const paths = [...files.keys()].filter((path) => path.startsWith(chosen?.dataDir ? `${chosen.dataDir}/` : "")).sort();
  const splits = chosen?.splits ? declaredSplits(chosen, paths, directory.name) : splitsByName(paths, chosen?.dataDir ?? "");
  if (splits.size === 0) {
    throw new DataFileError(
      `loadDataset: ${directory.name} has no data file; expected .parquet, .jsonl, .json, .csv or .tsv, got ${listed([...files.keys()])}; convert it, or name another data set`,
      { file: directory.name },
    );
  }
  const name = chooseSplit([...splits.keys()], split, directory.name);
  return { split: name, files: oneFormat(splits.get(name)!).map((path) => files.get(path)!) };
}

function chooseConfig(configs: readonly RepoConfig[], wanted: string | undefined, directory: string): RepoConfig | undefined {
  if (configs.length === 0 && (wanted === undefined || wanted === "default")) return undefined;
  const found =
    wanted === undefined
      ? (configs.find(({ isDefault }) => isDefault) ?? (configs.length === 1 ? configs[0] : undefined))
      : configs.find(({ name }) => name === wanted);
  if (found) return found;
  const names = configs.length === 0 ? "default" : configs.map(({ name }) => name).join(", ");
  throw new DataFileError(
    `loadDataset: ${wanted === undefined ? `${directory} has several configurations` : `${directory} has no configuration ${JSON.stringify(wanted)}`}; expected one of ${names}, got ${wanted === undefined ? "none" : JSON.stringify(wanted)}; pass { config }`,
    { file: directory },
  );
}

/** The splits of a configuration of README.md that have files. Throws where none of the files declared is a data file. */
function declaredSplits({ name, splits, dataDir }: RepoConfig, paths: readonly string[], directory: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [split, patterns] of splits!) {
    const expressions = patterns.map((pattern) => pathPattern(dataDir === "" ? pattern : `${dataDir}/${pattern}`));
    const matched = new Set(expressions.flatMap((expression) => paths.filter((path) => expression.test(path) && isDataFile(path))));
    if (matched.size > 0) found.set(split, [...matched]);
  }
  if (found.size > 0) return found;
  throw new DataFileError(
    `loadDataset: ${directory} has none of the data files that its README.md declares for ${JSON.stringify(name)}; expected ${listed([...splits!.values()].flat())}, got ${listed(paths)}; is it complete?`,
    { file: directory },
  );
}

function splitsByName(paths: readonly string[], dataDir: string): Map<string, string[]> {
  const data = paths.filter(isDataFile);
  const below = (path: string): string => (dataDir === "" ? path : path.slice(dataDir.length + 1));
  const bySplit = (splitsOf: (path: string) => readonly string[]): Map<string, string[]> => {
    const splits = new Map<string, string[]>();
    for (const path of data) for (const split of splitsOf(below(path))) splits.set(split, [...(splits.get(split) ?? []), path]);
    return splits;
  };
  const sharded = bySplit((path) => /^data\/(\w+(?:\.\w+)*)-\d{5}-of-\d{5,}\.\w+$/.exec(path)?.slice(1) ?? []);
  if (sharded.size > 0) return sharded;
  const named = bySplit((path) => Object.keys(SPLIT_WORDS).filter((split) => SPLIT_WORDS[split]!.some((word) => hasWord(path, word))));
  return named.size > 0 ? named : bySplit(() => ["train"]);
}

/** True if a word stands alone in the name of a file or folder: between dots, dashes, blanks, digits and underscores. */
function hasWord(path: string, word: string): boolean {
  return new RegExp(`(?:^|[-._ 0-9/])${word}(?:[-._ 0-9/]|$)`).test(path);
}

function isDataFile(path: string): boolean {
  const parts = path.split("/");
  return formatOfName(path) !== undefined && !NO_DATA.has(parts.at(-1)!) && !parts.some((part) => /^(\.|__)/.test(part));
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
    `loadDataset: ${wanted === undefined ? `${directory} has several splits` : `${directory} has no split ${JSON.stringify(wanted)}`}; expected one of ${splits.join(", ")}, got ${wanted === undefined ? "none" : JSON.stringify(wanted)}; name a split that there is`,
    { file: directory },
  );
}

/** The files of the most frequent format: the same rows often lie there in a second one. Parquet wins a tie, then JSON Lines. */
function oneFormat(paths: readonly string[]): string[] {
  const order: readonly FileFormat[] = ["parquet", "jsonl", "json", "csv", "tsv"];
  const of = (format: FileFormat): string[] => paths.filter((path) => formatOfName(path) === format);
  return order.map(of).reduce((most, next) => (next.length > most.length ? next : most));
}

function listed(names: readonly string[], most = 5): string {
  if (names.length === 0) return "no file";
  return names.length <= most ? names.join(", ") : `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}
