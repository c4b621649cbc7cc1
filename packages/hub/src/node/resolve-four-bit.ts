import { fetchCommit } from "../api.js";
import { HubError } from "../errors.js";
import { fourBitSibling } from "../four-bit-sibling.js";
import { parseRepoId } from "../repo-id.js";
import { baseModels } from "./base-models.js";
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
 * when there is none, when it is quantised already, or when a revision of it was named, which no other repository has. A checkpoint of the right name
 * whose card says that it was made from another owner's model is not taken. For users who asked for it.
 *
 * @throws HubError when the hub refuses for another reason than that there is no such repository, or does not answer and the cache has none
 */
export async function resolveFourBit(id: string, options: CacheOptions = {}): Promise<FourBitChoice> {
  const { repo, revision = options.revision ?? "main" } = parseRepoId(id);
  const candidates = revision === "main" ? fourBitSibling(repo) : [];
  let failure: HubError | undefined;
  for (const candidate of candidates) {
    const sibling = openRepo(candidate, options);
    try {
      const isThere = failure || sibling.offline ? await isCached(sibling) : await isOnHub(sibling);
      if (isThere && (await isOf(repo, candidate, options))) return { id: candidate, mapped: true };
    } catch (error) {
      if (!(error instanceof HubError) || error.reason !== "unreachable") throw error;
      failure = error;
      if ((await isCached(sibling)) && (await isOf(repo, candidate, { ...options, offline: true }))) return { id: candidate, mapped: true };
    }
  }
  if (failure) throw failure;
  return { id, mapped: false };
}

/** False if the card of `candidate` names base models and `repo` is none of them; the quantiser's own 16-bit copies count as what they are copies of. */
async function isOf(repo: string, candidate: string, options: CacheOptions): Promise<boolean> {
  const [owner, name] = [repo.split("/")[0]!, repo.split("/").at(-1)!];
  const bases = await baseModels(candidate, options);
  const isCopy = owner === candidate.split("/")[0];
  return (
    bases.length === 0 ||
    bases.some((base) => base === repo || (base.split("/").at(-1) === name && (isCopy || base === `${candidate.split("/")[0]}/${name}`)))
  );
}

async function isOnHub({ client, at }: CachedRepo): Promise<boolean> {
  try {
    await fetchCommit(client, at);
    return true;
  } catch (error) {
    if (error instanceof HubError && (error.reason === "repoNotFound" || error.reason === "gated")) return false;
    throw error;
  }
}

async function isCached({ at, folder }: CachedRepo): Promise<boolean> {
  const commit = await cachedCommit(folder, at.revision);
  const files = commit === undefined ? undefined : await snapshotFiles(folder, commit);
  return files?.some(({ path }) => path.endsWith(".safetensors")) ?? false;
}
