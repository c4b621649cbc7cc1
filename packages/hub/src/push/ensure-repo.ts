import { HubError } from "../errors.js";
import { isCommit } from "../api.js";
import { ask, jsonOf, refused } from "./ask.js";
import { type PushTarget, repoApi, repoPage } from "./target.js";

/**
 * Makes the repository if there is none, and the branch if it has none of that name.
 *
 * @throws HubError when the token may not, or the repository should be private and is not
 */
export async function ensureRepo(target: PushTarget, isPrivate: boolean | undefined): Promise<void> {
  const { client, repo, repoType } = target;
  const [organization, name] = repo.split("/");
  const made = await ask(target, {
    method: "POST",
    url: `${client.endpoint}/api/repos/create`,
    json: { name, organization, type: repoType, ...(isPrivate !== undefined && { visibility: isPrivate ? "private" : "public" }) },
  });
  // A token may write to a repository and yet not make one.
  if (made.status === 409 || made.status === 403) {
    const found = await ask(target, { url: repoApi(target) });
    if (found.status >= 400 && made.status === 403) throw refused(made, target);
    if (isPrivate === true && (found.json as { private?: unknown } | undefined)?.private !== true) throw isPublic(target);
  } else jsonOf(made, target);
  await ensureBranch(target);
}

/** Makes a branch other than `main`; pull requests and commits are no branches, and stay what they are. */
async function ensureBranch(target: PushTarget): Promise<void> {
  const { revision } = target;
  if (revision === "main" || revision.startsWith("refs/") || isCommit(revision)) return;
  const found = await ask(target, { url: `${repoApi(target)}/revision/${encodeURIComponent(revision)}` });
  if (found.status !== 404) return;
  const made = await ask(target, { method: "POST", url: `${repoApi(target)}/branch/${encodeURIComponent(revision)}`, json: {} });
  if (made.status >= 400 && made.status !== 409) throw refused(made, target);
}

function isPublic(target: PushTarget): HubError {
  const { repo } = target;
  return new HubError(
    `push: ${repo} exists and is public; expected a private repository, got one that everybody can read; change its visibility at ${repoPage(target)}/settings, or leave out private`,
    { reason: "refused", repo },
  );
}
