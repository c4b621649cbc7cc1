import { excerpt } from "@kto/core";
import { HubError } from "../errors.js";
import type { CachedRepo } from "./cached-repo.js";

/** The cache does not hold what was asked for, and the hub was not asked or did not answer. */
export function notCached(repo: CachedRepo, file?: string): HubError {
  const { at, folder, failure } = repo;
  if (failure) return unreachable(repo, failure, file);
  return new HubError(
    `hub: ${named(repo, file)} is not in the cache; expected it in ${folder.root}, got none, and offline nothing is downloaded; unset HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) and run it again, or set HF_HUB_CACHE to the cache that has it`,
    { reason: "notCached", repo: at.repo, file },
  );
}

/** The hub did not answer, and the cache cannot stand in for it. */
export function unreachable(repo: CachedRepo, failure: HubError, file?: string): HubError {
  const { at, client, folder } = repo;
  const said = failure.message.replace(/^hub: /, "").replace(/;[^;]*$/, "");
  return new HubError(
    `hub: ${client.endpoint} does not answer, and ${named(repo, file)} is not in the cache ${folder.root}; expected an answer, got "${said}"; check the network and HF_ENDPOINT, or copy the repository's folder into the cache and set HF_HUB_OFFLINE=1`,
    { reason: "unreachable", repo: at.repo, file, status: failure.status, cause: failure },
  );
}

/** It is known from before that a commit has no such file. */
export function entryMissing({ at, client }: CachedRepo, commit: string, file: string): HubError {
  const page = `${client.endpoint}/${at.repoType === "dataset" ? "datasets/" : ""}${at.repo}`;
  return new HubError(
    `hub: ${at.repo} has no file ${excerpt(file)} at revision ${excerpt(at.revision)}; expected one of its files, got none at commit ${commit}; see ${page}/tree/${at.revision}`,
    { reason: "entryNotFound", repo: at.repo, file },
  );
}

/** A file arrived damaged, twice. */
export function wrongContent({ at, client }: CachedRepo, file: string, cause: Error): HubError {
  return new HubError(
    `hub: ${file} of ${at.repo} arrived damaged, twice: ${cause.message}; nothing of it was kept; try again, and check proxies and ${client.endpoint} if that does not help`,
    { reason: "checksum", repo: at.repo, file, cause },
  );
}

function named({ at }: CachedRepo, file: string | undefined): string {
  const revision = at.revision === "main" ? "" : ` (revision ${at.revision})`;
  return file === undefined ? `${at.repoType} ${at.repo}${revision}` : `${JSON.stringify(file)} of ${at.repo}${revision}`;
}
