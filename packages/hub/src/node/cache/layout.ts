import { excerpt } from "@kto/core";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { HubError } from "../../errors.js";
import { checkFileName } from "../../file-name.js";
import { type RepoType, checkRevision, parseRepoId } from "../../repo-id.js";

/**
 * Where the parts of a repository lie in the cache, as in Python's huggingface_hub:
 *
 *   models--owner--name/blobs/<etag>                    contents, by sha256 (large-file storage) or git's blob id
 *   models--owner--name/snapshots/<commit>/<path>       links to them, under the names of the repository
 *   models--owner--name/refs/<revision>                 the commit that a branch or tag stood for
 *   models--owner--name/.no_exist/<commit>/<path>       empty; that commit has no such file
 *   models--owner--name/trees/<commit>.json             all files of that commit
 *
 * What is on its way is ours alone: `blobs/<etag>.kto-incomplete`, and `.kto-ranges` with the ranges of it that are there.
 */
export interface RepoFolder {
  readonly root: string;
  /** Folder of locks, outside the repository's. */
  readonly locks: string;
  blob(etag: string): string;
  /** File in which a blob grows. */
  incomplete(etag: string): string;
  /** Folder of a commit. */
  snapshot(commit: string): string;
  /** File of a commit. Throws HubError for a name that leads out of the folder. */
  file(commit: string, fileName: string): string;
  ref(revision: string): string;
  noExist(commit: string, fileName: string): string;
  tree(commit: string): string;
  /** A new name in this folder, for what is not complete yet; the same file system, and nobody looks there. */
  temporary(): string;
}

/** The folder of a repository in a cache. Throws HubError for names that no hub could have. */
export function repoFolder(cacheDir: string, repoType: RepoType, id: string): RepoFolder {
  const { repo } = parseRepoId(id);
  const name = `${repoType}s--${repo.replaceAll("/", "--")}`;
  const root = join(cacheDir, name);
  const blob = (etag: string): string => join(root, "blobs", checkEtag(etag, repo));
  const inside = (kind: string, commit: string, fileName: string): string =>
    join(root, kind, checkRevision(commit, repo), ...checkFileName(fileName, repo).split("/"));
  return {
    root,
    locks: join(cacheDir, ".locks", name),
    blob,
    incomplete: (etag) => `${blob(etag)}.kto-incomplete`,
    snapshot: (commit) => join(root, "snapshots", checkRevision(commit, repo)),
    file: (commit, fileName) => inside("snapshots", commit, fileName),
    ref: (revision) => join(root, "refs", ...checkRevision(revision, repo).split("/")),
    noExist: (commit, fileName) => inside(".no_exist", commit, fileName),
    tree: (commit) => join(root, "trees", `${checkRevision(commit, repo)}.json`),
    temporary: () => join(root, `${randomBytes(8).toString("hex")}.kto-new`),
  };
}

/** An etag is the name of a file. */
function checkEtag(etag: string, repo: string): string {
  if (/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/.test(etag)) return etag;
  throw new HubError(`hub: unusable etag of a file of ${repo}; expected a digest, got ${excerpt(etag)}; check HF_ENDPOINT`, {
    reason: "refused",
    repo,
  });
}
