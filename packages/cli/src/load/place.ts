import { existsSync, statSync } from "node:fs";
import { isRepoId } from "@kto/hub";

/** Endings of files that a model or data set is given as; a repository of such a name would have to be downloaded first. */
const fileEndings = /\.(jsonl|ndjson|json|csv|tsv|txt|parquet|arrow|gz|zst|safetensors|gguf|bin|pt|pth|ckpt)$/i;

/** True for `owner/name` or `owner/name@revision` where nothing of that name lies on the disk, which would win. */
export function isHubId(given: string): boolean {
  return !existsSync(given) && /^[^/@]+\/[^/@]+(@.+)?$/.test(given) && !fileEndings.test(given) && isRepoId(given);
}

/** True if a data set has splits: it is a folder, or on the hub. */
export function hasSplits(place: string): boolean {
  return isFolder(place) || isHubId(place);
}

/** True for a folder that is there. */
export function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}
