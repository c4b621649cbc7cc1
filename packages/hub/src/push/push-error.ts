import { excerpt, isKtoError } from "@kto/core";
import { HubApiError } from "@huggingface/hub";
import { HubError } from "../errors.js";
import { rootMessage } from "../http/root-cause.js";
import type { RepoType } from "../repo-id.js";

/** What was pushed where, for messages. */
export interface PushTarget {
  endpoint: string;
  repo: string;
  repoType: RepoType;
  revision: string;
}

/** Page of a repository. */
export function repoPage({ endpoint, repo, repoType }: PushTarget): string {
  return `${endpoint}/${repoType === "dataset" ? "datasets/" : ""}${repo}`;
}

/** Any failure of a push as a HubError that says what to do. A new attempt uploads no large file again that has arrived. */
export function pushError(error: unknown, target: PushTarget): unknown {
  if (isKtoError(error)) return error;
  const { repo, endpoint } = target;
  if (!(error instanceof HubApiError)) {
    return new HubError(
      `pushFolder: the push to ${repo} broke off (${rootMessage(error)}); expected ${endpoint} to answer; check the network and push again: what has arrived is kept`,
      { reason: "unreachable", repo, cause: error },
    );
  }
  const { statusCode: status } = error;
  const reason = status === 401 ? "unauthorized" : status === 404 ? "repoNotFound" : "refused";
  return new HubError(`pushFolder: ${explain(status, target)}`, { reason, repo, status, cause: error });
}

/** The token that a push needs is not there. */
export function noToken({ repo, endpoint }: PushTarget): HubError {
  return new HubError(
    `pushFolder: there is no token; expected one that may write to ${repo}, got none; make one at ${endpoint}/settings/tokens and set HF_TOKEN`,
    { reason: "unauthorized", repo },
  );
}

function explain(status: number, target: PushTarget): string {
  const { repo, repoType, revision, endpoint } = target;
  const tokens = `${endpoint}/settings/tokens`;
  switch (status) {
    case 401:
      return `the token was not accepted; expected one that may write to ${repo}, got status 401; make one at ${tokens} and set HF_TOKEN`;
    case 403:
      return `this token may not write to ${repo}; expected write access, got status 403; make a token with the role write at ${tokens}, or push to a repository of your own`;
    case 404:
      return `no ${repoType} ${repo} with a branch ${excerpt(revision)} that this token may write to; expected one, got status 404; check the name and the branch`;
    case 409:
    case 412:
      return `${repo} changed while it was pushed to; expected an unchanged branch ${excerpt(revision)}, got status ${status}; push again`;
    case 429:
      return `${endpoint} asks for patience; expected success, got status 429; push again later`;
    default:
      return `${endpoint} refused the push to ${repo}; expected success, got status ${status}; push again, and look at ${repoPage(target)} if that does not help`;
  }
}
