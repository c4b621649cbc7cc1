import { fetchCommit } from "../api.js";
import { HubError } from "../errors.js";
import { fourBitSibling } from "../four-bit-sibling.js";
import { parseRepoId } from "../repo-id.js";
import { cachedCommit, snapshotFiles } from "./cache/read.js";
import { type CachedRepo, openRepo } from "./cached-repo.js";
import type { CacheOptions } from "./options.js";

/** The repository that {@link resolveFourBit} chose. */
export interface FourBitChoice {
  id: string;
  /** True when `id` is another repository than the one asked for. */
  mapped: boolean;
}

/**
 * The checkpoint in four bits that there is of a 16-bit model (see {@link fourBitSibling}), asking the hub or, offline, the cache; the model itself
 * when there is none, when it is quantised already, or when a revision of it was named, which no other repository has. For users who asked for it.
 *
 * @throws HubError when the hub refuses for another reason than that there is no such repository, or does not answer and the cache has none
 */
export async function resolveFourBit(id: string, options: CacheOptions = {}): Promise<FourBitChoice> {
  const { repo, revision = options.revision ?? "main" } = parseRepoId(id);
  const candidates = revision === "main" ? fourBitSibling(repo) : [];
  for (const candidate of candidates) {
    if (await exists(openRepo(candidate, options))) return { id: candidate, mapped: true };
  }
  return { id, mapped: false };
}

async function exists(repo: CachedRepo): Promise<boolean> {
  if (repo.offline) return isCached(repo);
  try {
    await fetchCommit(repo.client, repo.at);
    return true;
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (error.reason === "repoNotFound" || error.reason === "gated") return false;
    if (error.reason === "unreachable" && (await isCached(repo))) return true;
    throw error;
  }
}

async function isCached({ at, folder }: CachedRepo): Promise<boolean> {
  const commit = await cachedCommit(folder, at.revision);
  const files = commit === undefined ? undefined : await snapshotFiles(folder, commit);
  return files?.some(({ path }) => path.endsWith(".safetensors")) ?? false;
}
