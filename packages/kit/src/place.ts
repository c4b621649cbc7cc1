import { isRepoId } from "@kto/hub";

/** Endings of files that a model or data set is given as; a repository of such a name would have to be downloaded first. */
const fileEndings = /\.(jsonl|ndjson|json|csv|tsv|txt|parquet|arrow|gz|zst|bz2|safetensors|gguf|bin|pt|pth|ckpt)$/i;

/** True for `owner/name` or `owner/name@revision`: a name that the hub could have. What lies there locally comes first; that is the caller's to look at. */
export function looksLikeHubId(given: string): boolean {
  return /^[^/@]+\/[^/@]+(@.+)?$/.test(given) && !fileEndings.test(given) && isRepoId(given);
}
