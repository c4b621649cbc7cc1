import { excerpt } from "@kto/core";
import { HubError } from "../errors.js";
import { createClient, type HubClient } from "../http/client.js";
import { hubEndpoint, hubTimeouts, hubToken } from "../node/environment.js";
import { checkRevision, parseRepoId, type RepoType } from "../repo-id.js";
import type { PushAccess } from "./options.js";

/** What is pushed where, and the way there. */
export interface PushTarget {
  client: HubClient;
  /** `"owner/name"`; where a name without an owner is allowed, until the owner is known, `"name"`. */
  repo: string;
  repoType: RepoType;
  revision: string;
}

/**
 * Reads the name of the repository and finds the token. Sends nothing.
 *
 * @throws HubError for a name that no repository can have, a name without an owner unless `ownerless`, an endpoint that is no address, no token
 */
export function openTarget(options: PushAccess, { ownerless = false }: { ownerless?: boolean } = {}): PushTarget {
  const { repo, revision = options.revision ?? "main" } = parseRepoId(options.repo);
  const client = createClient(options, {
    endpoint: hubEndpoint(),
    token: hubToken(),
    redirect: "manual",
    timeouts: hubTimeouts(),
  });
  const target = { client, repo, repoType: options.repoType ?? "model", revision: checkRevision(revision, repo) };
  if (!ownerless && !repo.includes("/")) {
    throw new HubError(`push: ${repo} has no owner; expected "owner/name", got ${excerpt(options.repo)}; write yours before it`, {
      reason: "repoId",
      repo,
    });
  }
  if (client.token === undefined) {
    throw new HubError(
      `push: there is no token; expected one that may write to ${repo}, got none; make one with the role write at ${client.endpoint}/settings/tokens and set HF_TOKEN`,
      { reason: "unauthorized", repo },
    );
  }
  if (!/^[\x21-\x7e]+$/.test(client.token)) {
    throw new HubError(
      `push: this is no token; expected letters, digits and signs without blanks, got other characters; copy it again from ${client.endpoint}/settings/tokens`,
      { reason: "unauthorized", repo },
    );
  }
  return target;
}

/** Page of a repository. */
export function repoPage({ client: { endpoint }, repo, repoType }: PushTarget): string {
  return `${endpoint}/${repoType === "dataset" ? "datasets/" : ""}${repo}`;
}

/** Address of the API of a repository. */
export function repoApi({ client: { endpoint }, repo, repoType }: PushTarget): string {
  return `${endpoint}/api/${repoType}s/${repo}`;
}
