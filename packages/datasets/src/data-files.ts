import { extensionOf, formatOfName, type FileFormat } from "./file-format.js";

/** Files that describe data and hold no rows, whatever their extension. */
const NO_DATA = new Set(["config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"]);

/** What lies beside a model, an adapter or the output of a run, and is no data there. */
const OF_MODELS = new Set(
  "adapter_config.json added_tokens.json all_results.json chat_template.json eval_results.json generation_config.json metrics.jsonl model.safetensors.index.json preprocessor_config.json processor_config.json pytorch_model.bin.index.json quantize_config.json special_tokens_map.json tokenizer.json tokenizer_config.json train_results.json trainer_state.json vocab.json".split(
    " ",
  ),
);

/** Extensions of archives that are not read: the reader of such a file says so, which is better than to pass over it. */
const UNREAD = /\.(?:xz|zip)$/i;

/** Formats that one reader of datasets reads together. */
const FAMILY: Readonly<Record<FileFormat, string>> = {
  jsonl: "json",
  json: "json",
  csv: "csv",
  tsv: "csv",
  parquet: "parquet",
  arrow: "arrow",
};

/** The extensions that datasets takes first where several are as frequent. */
const FAVOURITES = ["parquet", "arrow", "jsonl", "json", "csv"];

/** What a folder is, other than data. */
export type FolderKind = "model" | "adapter" | "run";

/** The format of a data file by its name; undefined for another file. */
export function dataFormat(path: string): FileFormat | undefined {
  return formatOfName(path.replace(UNREAD, ""));
}

/** What each folder of a listing is that is a model, an adapter or the output of a run, by its path with a slash at the end. */
export function foldersOfModels(paths: readonly string[]): Map<string, FolderKind> {
  const namesIn = new Map<string, Set<string>>();
  for (const path of paths) {
    const end = path.lastIndexOf("/") + 1;
    const folder = path.slice(0, end);
    const names = namesIn.get(folder) ?? new Set();
    names.add(path.slice(end));
    namesIn.set(folder, names);
  }
  const kinds = new Map<string, FolderKind>();
  const ofCheckpoints = new Set(Array.from(namesIn.keys(), (folder) => /^(.*?)checkpoint-\d+\/$/.exec(folder)?.[1]));
  for (const [folder, names] of namesIn) {
    const isRun =
      names.has("trainer_state.json") ||
      (names.has("metrics.jsonl") && (ofCheckpoints.has(folder) || names.has("resolved_config.yaml") || names.has("adapter_config.json")));
    const hasWeights = Array.from(names).some(
      (name) => /\.(?:safetensors|gguf|bin|pt|pth)$/.test(name) || name === "tokenizer.json" || name === "model.safetensors.index.json",
    );
    if (isRun) kinds.set(folder, "run");
    else if (names.has("adapter_config.json")) kinds.set(folder, "adapter");
    else if (names.has("config.json") && hasWeights) kinds.set(folder, "model");
  }
  return kinds;
}

/** A test of the paths that hold rows: by extension, outside hidden folders, and no file that describes a data set, a model or a run. */
export function dataFileTest(paths: readonly string[]): (path: string) => boolean {
  const models = foldersOfModels(paths);
  return (path) => {
    const end = path.lastIndexOf("/") + 1;
    const name = path.slice(end);
    if (dataFormat(path) === undefined || NO_DATA.has(name) || (models.has(path.slice(0, end)) && OF_MODELS.has(name))) return false;
    return !path.split("/").some((part) => part.startsWith(".") || part.startsWith("__"));
  };
}

/**
 * The files of a split that are read, and those that are not: datasets reads one family of formats (JSON and JSON Lines are one, CSV and TSV another), that of
 * the most frequent extension, since the same rows often lie there in a second one.
 */
export function oneFamily(paths: readonly string[]): { taken: string[]; leftOut: string[] } {
  const counts = new Map<string, number>();
  for (const path of paths) {
    const extension = extensionOf(path.replace(UNREAD, ""));
    counts.set(extension, (counts.get(extension) ?? 0) + 1);
  }
  const rank = (extension: string): number => (FAVOURITES.indexOf(extension) + FAVOURITES.length + 1) % (FAVOURITES.length + 1);
  const [first = ""] = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || rank(a) - rank(b) || (a < b ? 1 : -1));
  const familyOf = (path: string): string => FAMILY[dataFormat(path)!];
  const family = familyOf(`x.${first}`);
  return { taken: paths.filter((path) => familyOf(path) === family), leftOut: paths.filter((path) => familyOf(path) !== family) };
}
