import { HubError } from "../errors.js";
import { ask, jsonOf } from "./ask.js";
import { ensureRepo } from "./ensure-repo.js";
import type { PushAccess } from "./options.js";
import { compare } from "./compare.js";
import { openTarget, type PushTarget, repoPage } from "./target.js";

/** A repository that may be pushed to. */
export interface PushPermit {
  /** `"owner/name"`. */
  repo: string;
  /** Its page. */
  url: string;
}

/**
 * Finds out whether a push will be allowed, before there is anything to push: the name, the token, and the right to write. A name without an owner is
 * that of the token's user, as in transformers. Makes the repository where there is none, and writes nothing to it.
 *
 * @throws HubError that says what to do: a bad name, no token, one that only reads, one that may not write there
 */
export async function checkPush(options: PushAccess): Promise<PushPermit> {
  const named = openTarget(options, { ownerless: true });
  const { client } = named;
  const { name: user, auth } = jsonOf(await ask(named, { url: `${client.endpoint}/api/whoami-v2` }), named);
  const role = (auth as { accessToken?: { role?: unknown } } | undefined)?.accessToken?.role;
  if (role === "read") {
    throw new HubError(
      `push: this token only reads; expected one that may write to ${named.repo}, got the role read; make a token with the role write at ${client.endpoint}/settings/tokens and set HF_TOKEN`,
      { reason: "unauthorized", repo: named.repo },
    );
  }
  const target: PushTarget = named.repo.includes("/") ? named : { ...named, repo: `${String(user)}/${named.repo}` };
  await ensureRepo(target, options.private);
  // Only who may write is told how a file is to be uploaded.
  await compare(target, [{ path: "README.md", size: 1, sample: async () => new Uint8Array([10]), oids: async () => [] }], false);
  return { repo: target.repo, url: repoPage(target) };
}
