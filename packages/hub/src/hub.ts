import { type RepoAt, fetchCommit, fetchTree, fileUrl } from "./api.js";
import { HubError } from "./errors.js";
import { createClient } from "./http/client.js";
import { rangeSource } from "./http/range-source.js";
import type { HubOptions } from "./options.js";
import { once } from "./once.js";
import { checkRevision, parseRepoId } from "./repo-id.js";
import type { HubSource } from "./source.js";

const DEFAULTS = { endpoint: "https://huggingface.co", token: undefined, redirect: "follow", timeouts: { metadataMs: 10_000, transferMs: 10_000 } } as const; // prettier-ignore

/**
 * A repository of the hub as a directory that is read over the network, only the bytes that are asked for; nothing is kept. For browsers;
 * Node's `hub` of `@kto/hub/node` reads from the cache.
 *
 * The revision is resolved to a commit once, so that all files are of one state of the repository.
 *
 * @throws HubError (`"repoId"`) for an id that no repository can have; what goes wrong later rejects the call it happens in
 */
export function hub(id: string, options: HubOptions = {}): HubSource {
  const at = repoAt(id, options);
  const { repo, repoType, revision } = at;
  const client = createClient(options, DEFAULTS);
  const commit = once(async () => fetchCommit(client, at));
  const files = once(async () => fetchTree(client, { ...at, revision: await commit() }));
  return {
    name: displayName(at),
    repo,
    repoType,
    resolve: async () => ({ revision, commit: await commit() }),
    list: files,
    async open(fileName) {
      const url = fileUrl(client, { ...at, revision: await commit() }, fileName);
      try {
        return await rangeSource(client, url, { ...at, file: fileName });
      } catch (error) {
        if (error instanceof HubError && error.reason === "entryNotFound") return undefined;
        throw error;
      }
    },
  };
}

/** The repository and revision that an id and options name together; what the options say comes first. */
export function repoAt(id: string, { repoType = "model", revision }: Pick<HubOptions, "repoType" | "revision">): RepoAt {
  const parsed = parseRepoId(id);
  return { repo: parsed.repo, repoType, revision: checkRevision(revision ?? parsed.revision ?? "main", parsed.repo) };
}

/** `owner/name`, with the revision where it says something. */
export function displayName({ repo, revision }: RepoAt): string {
  return revision === "main" ? repo : `${repo}@${revision}`;
}
