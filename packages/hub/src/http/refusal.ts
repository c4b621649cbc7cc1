import { excerpt } from "@kto/core";
import { HubError, type HubErrorReason } from "../errors.js";
import type { RepoType } from "../repo-id.js";
import type { HubClient } from "./client.js";
import { discard } from "./send.js";

/** What a request was about, for messages. */
export interface Asked {
  repo: string;
  repoType: RepoType;
  revision?: string | undefined;
  file?: string | undefined;
}

/** The error for a status that is not success and will not pass: what is wrong, and what to do about it. Lets go of the body. */
export async function refusal(client: HubClient, response: Response, asked: Asked): Promise<HubError> {
  await discard(response);
  const { status, headers } = response;
  const reason = reasonOf(status, headers, client.token !== undefined, asked);
  return new HubError(`hub: ${explain(reason, client, asked, status, headers.get("x-error-message"))}`, {
    reason,
    status,
    repo: asked.repo,
    file: asked.file,
  });
}

function reasonOf(status: number, headers: Headers, hasToken: boolean, { file }: Asked): HubErrorReason {
  const code = headers.get("x-error-code");
  if (code === "GatedRepo") return "gated";
  if (code === "RepoNotFound") return "repoNotFound";
  if (code === "RevisionNotFound") return "revisionNotFound";
  if (code === "EntryNotFound") return "entryNotFound";
  const message = headers.get("x-error-message") ?? "";
  if (status === 401) return hasToken || /invalid (credentials|username)/i.test(message) ? "unauthorized" : "repoNotFound"; // a hub hides private repositories so
  if (status === 403) return /gated|authorized list|licen[cs]e|access to model|restricted/i.test(message) ? "gated" : "unauthorized";
  if (status === 404) return file === undefined ? "repoNotFound" : "entryNotFound";
  return "refused";
}

function explain(
  reason: HubErrorReason,
  client: HubClient,
  { repo, repoType, revision = "main", file }: Asked,
  status: number,
  said: string | null,
): string {
  const { token, endpoint } = client;
  const page = `${endpoint}/${repoType === "dataset" ? "datasets/" : ""}${repo}`;
  const tokens = `${endpoint}/settings/tokens`;
  const got = `got status ${status}${said ? ` ("${said.slice(0, 200)}")` : ""}`;
  switch (reason) {
    case "gated":
      return token === undefined
        ? `${repo} is gated and no token was sent; expected access, ${got}; accept its terms at ${page}, make a token at ${tokens}, and set HF_TOKEN`
        : `${repo} is gated and this token has no access; expected access, ${got}; accept its terms at ${page} with the account of the token, and check that the token may read gated repositories (${tokens})`;
    case "unauthorized":
      return `the token was not accepted for ${repo}; expected a token that may read it, ${got}; make one at ${tokens} and set HF_TOKEN, or unset HF_TOKEN if ${repo} is public`;
    case "repoNotFound":
      return token === undefined
        ? `no ${repoType} ${repo}; expected one at ${page}, ${got}; check the name, or set HF_TOKEN if it is private`
        : `no ${repoType} ${repo} that this token may read; expected one at ${page}, ${got}; check the name and the token`;
    case "revisionNotFound":
      return `${repo} has no revision ${excerpt(revision)}; expected a branch, tag or commit, ${got}; see ${page}/tree/main`;
    case "entryNotFound":
      return `${repo} has no file ${excerpt(file)} at revision ${excerpt(revision)}; expected one of its files, ${got}; see ${page}/tree/${revision}`;
    default:
      return `${file ?? repo} was refused; expected success, ${got}; see ${page}`;
  }
}
