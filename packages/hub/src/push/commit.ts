import { excerpt } from "@kto/core";
import { fetchCommit } from "../api.js";
import { HubError } from "../errors.js";
import { PassingFailure, Retries } from "../http/retry.js";
import { askOnce, jsonOf, type Reply, refused } from "./ask.js";
import type { Changed } from "./compare.js";
import type { Content } from "./content.js";
import { type PushTarget, repoApi, repoPage } from "./target.js";

/** A commit that was made. */
export interface MadeCommit {
  url: string;
  commit: string;
}

/** What a commit says. */
export interface CommitText {
  message: string;
  createPr: boolean;
}

/** A hub takes its time over a commit with many files. */
const TIMEOUT_MS = 300_000;
/** Statuses that say that another commit came between. */
const MOVED: ReadonlySet<number> = new Set([409, 412]);

/** Attempts at one commit, between which the branch is looked at again: a commit whose answer was lost may have been made. */
export class Commits {
  readonly #target: PushTarget;
  readonly #text: CommitText;
  readonly #retries: Retries;

  constructor(target: PushTarget, text: CommitText) {
    this.#target = target;
    this.#text = text;
    this.#retries = new Retries(target.client.retry, target.client.signal);
  }

  /** Makes the commit; undefined when the files are to be compared with the branch again before another attempt. Throws HubError. */
  async attempt(changed: readonly Changed<Content>[]): Promise<MadeCommit | undefined> {
    const target = this.#target;
    const body = await commitBody(changed, this.#text);
    let reply: Reply | undefined;
    try {
      reply = await askOnce(target, {
        method: "POST",
        url: `${repoApi(target)}/commit/${encodeURIComponent(target.revision)}${this.#text.createPr ? "?create_pr=1" : ""}`,
        headers: { "content-type": "application/x-ndjson" },
        body,
        timeoutMs: TIMEOUT_MS,
      });
      if (!MOVED.has(reply.status)) return made(reply, target);
      throw new PassingFailure(`the branch moved`, { status: reply.status });
    } catch (error) {
      if (this.#text.createPr && error instanceof PassingFailure && error.status !== 429) throw uncertain(error, target);
      await this.#retries.wait(error, { repo: target.repo }).catch((final: unknown) => {
        throw reply && MOVED.has(reply.status) && !target.client.signal?.aborted ? refused(reply, target) : final;
      });
      return undefined;
    }
  }
}

/** The commit that a branch is at: what a push that changes nothing comes to. */
export async function currentCommit(target: PushTarget): Promise<MadeCommit> {
  const commit = await fetchCommit(target.client, target);
  return { url: `${repoPage(target)}/commit/${commit}`, commit };
}

/** Lines of JSON: what the commit says, and a line a file. */
async function commitBody(changed: readonly Changed<Content>[], { message }: CommitText): Promise<string> {
  const lines: unknown[] = [{ key: "header", value: { summary: message, description: "" } }];
  for (const { file, mode } of changed) {
    const { path, size } = file;
    if (mode === "lfs") lines.push({ key: "lfsFile", value: { path, algo: "sha256", oid: await file.sha256(), size } });
    else {
      await file.expectUnchanged();
      lines.push({ key: "file", value: { path, encoding: "base64", content: Buffer.from(await file.bytes()).toString("base64") } });
    }
  }
  return lines.map((line) => JSON.stringify(line)).join("\n");
}

function made(reply: Reply, target: PushTarget): MadeCommit {
  const { commitOid, commitUrl, pullRequestUrl } = jsonOf(reply, target);
  if (typeof commitOid === "string")
    return {
      url:
        typeof pullRequestUrl === "string"
          ? pullRequestUrl
          : typeof commitUrl === "string"
            ? commitUrl
            : `${repoPage(target)}/commit/${commitOid}`,
      commit: commitOid,
    };
  throw new HubError(
    `push: ${target.client.endpoint} names no commit; expected its id, got ${excerpt(reply.json)}; look at ${repoPage(target)}`,
    {
      reason: "refused",
      repo: target.repo,
    },
  );
}

/** A pull request may have been opened although its answer was lost; a second one would help nobody. */
function uncertain(cause: PassingFailure, target: PushTarget): HubError {
  return new HubError(
    `push: ${target.client.endpoint} did not say whether the pull request was opened (${cause.message}); expected an answer; look at ${repoPage(target)}/discussions before pushing again`,
    { reason: "unreachable", repo: target.repo, status: cause.status, cause },
  );
}
