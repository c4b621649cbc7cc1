import { excerpt } from "@kto/core";
import { HubError } from "../errors.js";
import { withTimeout } from "../http/request.js";
import { PassingFailure, Retries } from "../http/retry.js";
import { rootMessage } from "../http/root-cause.js";
import { type HubRequest, send } from "../http/send.js";
import { type PushTarget, repoPage } from "./target.js";

/** An answer of the hub's API that will not change when it is asked again. */
export interface Reply {
  status: number;
  /** Undefined for an answer that is no JSON. */
  json: unknown;
  /** What the hub says is wrong. */
  said: string | undefined;
}

/** What is asked: a JSON value, or a body as it is. */
export interface Question extends Omit<HubRequest, "body"> {
  json?: unknown;
  body?: string;
}

/** Asks the hub; 429, 5xx and cut connections are tried again. Throws HubError (`"unreachable"`) when they stay. */
export async function ask(target: PushTarget, question: Question): Promise<Reply> {
  const retries = new Retries(target.client.retry, target.client.signal);
  for (;;) {
    try {
      return await askOnce(target, question);
    } catch (error) {
      await retries.wait(error, { repo: target.repo });
    }
  }
}

/** One attempt of {@link ask}; throws PassingFailure where another may help. */
export async function askOnce({ client }: PushTarget, { json, body, headers, ...request }: Question): Promise<Reply> {
  const { response } = await send(client, {
    ...request,
    ...(json === undefined
      ? { ...(body !== undefined && { body }), ...(headers && { headers }) }
      : { body: JSON.stringify(json), headers: { "content-type": "application/json", ...headers } }),
  });
  let text: string;
  try {
    text = await withTimeout(response.text(), client.timeouts.transferMs);
  } catch (cause) {
    client.signal?.throwIfAborted();
    throw new PassingFailure(`${new URL(request.url).host}: the answer broke off (${rootMessage(cause)})`, { cause });
  }
  const answer = parse(text);
  const { error } = (answer ?? {}) as { error?: unknown };
  const said = response.headers.get("x-error-message") ?? (typeof error === "string" ? error : undefined);
  return { status: response.status, json: answer, said };
}

/** The JSON of an answer. Throws HubError that says what to do for a status that is no success, and for what is no JSON object. */
export function jsonOf(reply: Reply, target: PushTarget): Record<string, unknown> {
  if (reply.status >= 400) throw refused(reply, target);
  if (typeof reply.json === "object" && reply.json !== null) return reply.json as Record<string, unknown>;
  throw new HubError(`push: ${target.client.endpoint} is no hub; expected JSON, got another answer; check HF_ENDPOINT`, {
    reason: "refused",
    repo: target.repo,
  });
}

/** The error for a status that will not pass. */
export function refused({ status, said }: Pick<Reply, "status" | "said">, target: PushTarget): HubError {
  const { repo } = target;
  const reason = status === 401 || status === 403 ? "unauthorized" : status === 404 ? "repoNotFound" : "refused";
  const got = `got status ${status}${said === undefined ? "" : ` (${excerpt(said, 200)})`}`;
  return new HubError(`push: ${explain(status, got, target)}`, { reason, repo, status });
}

function explain(status: number, got: string, target: PushTarget): string {
  const { client, repo, repoType, revision } = target;
  const tokens = `${client.endpoint}/settings/tokens`;
  switch (status) {
    case 401:
      return `the token was not accepted; expected one that may write to ${repo}, ${got}; make one at ${tokens} and set HF_TOKEN`;
    case 403:
      return `this token may not write to ${repo}; expected write access, ${got}; make a token with the role write at ${tokens}, or push to a repository of your own`;
    case 404:
      return `no ${repoType} ${repo} with a branch ${excerpt(revision)} that this token may write to; expected one, ${got}; check the name and the branch`;
    case 409:
    case 412:
      return `${repo} changed while it was pushed to; expected an unchanged branch ${excerpt(revision)}, ${got}; push again`;
    case 413:
      return `${client.endpoint} takes no file or commit of this size; expected success, ${got}; split large files, or push fewer at once with include`;
    default:
      return `${client.endpoint} refused the push to ${repo}; expected success, ${got}; push again, and look at ${repoPage(target)} if that does not help`;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
