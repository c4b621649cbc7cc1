import { excerpt } from "@kto/core";
import { HubError } from "./errors.js";

/** What a repository holds; part of its address and of its folder in the cache. */
export type RepoType = "model" | "dataset";

/** A repository and, where it was named, one of its revisions (branch, tag, commit). */
export interface RepoId {
  /** `"owner/name"`; old repositories have no owner: `"gpt2"`. */
  repo: string;
  revision?: string;
}

/** Letters, digits, `-`, `_`, `.`; the hub allows at most 96 characters in all. */
const NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;
const MAX_LENGTH = 96;
/** As git takes them, less what an address or a folder could not hold. */
const REVISION = /^(?!.*\.\.)(?!.*\/\/)[A-Za-z0-9_][A-Za-z0-9_./+-]*(?<![./])$/;

/**
 * Reads `"owner/name"`, `"name"`, either with `"@revision"`.
 *
 * @throws HubError (`"repoId"`) for anything else, for example a path
 */
export function parseRepoId(text: string): RepoId {
  const [repo = "", revision, ...rest] = text.split("@");
  const names = repo.split("/");
  const isRepo =
    names.length <= 2 &&
    names.every((name) => NAME.test(name) && !/--|\.\./.test(name)) &&
    repo.length <= MAX_LENGTH &&
    !repo.endsWith(".git");
  if (!isRepo || rest.length > 0 || (revision !== undefined && !REVISION.test(revision))) {
    throw new HubError(
      {
        operation: "parseRepoId",
        problem: "not the name of a repository",
        expected: '"owner/name" or "owner/name@revision" (letters, digits, "-", "_", ".")',
        got: excerpt(text),
        advice: 'for a folder give a path that begins with "./" or "/"',
      },
      { reason: "repoId", repo: text },
    );
  }
  return revision === undefined ? { repo } : { repo, revision };
}

/** True for what {@link parseRepoId} takes. */
export function isRepoId(text: string): boolean {
  try {
    parseRepoId(text);
    return true;
  } catch {
    return false;
  }
}

/** `revision` as an address or a folder may hold it; throws HubError (`"revisionNotFound"`) for one that no repository can have. */
export function checkRevision(revision: string, repo: string): string {
  if (REVISION.test(revision)) return revision;
  throw new HubError(`hub: not a revision of ${repo}; expected a branch, tag or commit, got ${excerpt(revision)}`, {
    reason: "revisionNotFound",
    repo,
  });
}
