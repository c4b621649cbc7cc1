import { excerpt } from "@kto/core";
import { HubError } from "../errors.js";
import type { HubClient } from "./client.js";
import { PassingFailure, parseRetryAfter } from "./retry.js";
import { rootMessage } from "./root-cause.js";

/** One request. */
export interface HubRequest {
  method?: "GET" | "HEAD" | "POST";
  url: string;
  headers?: Record<string, string>;
  body?: string;
  /** Milliseconds until an answer must have begun; default the client's. */
  timeoutMs?: number;
  /** `same-origin`: stop before a redirect to another host, which `Answer.location` then names. */
  redirects?: "all" | "same-origin";
}

/** A response, and the address it is from or, where a redirect was not followed, leads to. */
export interface Answer {
  response: Response;
  location: string;
}

const MAX_REDIRECTS = 10;
const REDIRECT_STATUS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/**
 * One attempt at a request, redirects followed. The token goes to the origin of the endpoint only, and no more once a redirect has left it.
 *
 * @throws PassingFailure for no answer, status 429 and 5xx; the signal's reason; other statuses are returned
 */
export async function send(client: HubClient, request: HubRequest): Promise<Answer> {
  let url = new URL(request.url);
  let trusted = true;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    trusted &&= url.origin === client.origin;
    const response = await fetchOnce(client, url, request, trusted);
    const target = REDIRECT_STATUS.has(response.status) ? response.headers.get("location") : null;
    if (target === null) return { response: await refusePassing(response, url), location: response.url || url.href };
    const next = URL.canParse(target, url.href) ? new URL(target, url) : undefined;
    if (!next || !/^https?:$/.test(next.protocol)) {
      await discard(response);
      throw new HubError(`hub: ${url.href} redirects to no web address; expected http(s), got ${excerpt(target)}`, {
        reason: "refused",
        status: response.status,
      });
    }
    if (request.redirects === "same-origin" && next.origin !== url.origin) return { response, location: next.href };
    await discard(response);
    url = next;
  }
  throw new HubError(`hub: ${request.url} redirects without end; expected at most ${MAX_REDIRECTS} redirects, got more`, {
    reason: "refused",
  });
}

/** Lets go of a body nobody reads, so that its connection is free again. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {}); // the connection broke: nothing to let go of
}

async function fetchOnce(client: HubClient, url: URL, asked: HubRequest, trusted: boolean): Promise<Response> {
  const { fetch: ask, signal, token, redirect, timeouts } = client;
  const { method = "GET", headers, body, timeoutMs = timeouts.metadataMs } = asked;
  signal?.throwIfAborted();
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  try {
    return await ask(url.href, {
      method,
      redirect,
      ...(body !== undefined && { body }),
      headers: {
        "accept-encoding": "identity",
        ...headers,
        ...(token !== undefined && trusted ? { authorization: `Bearer ${token}` } : {}),
      },
      signal: signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal,
    });
  } catch (cause) {
    signal?.throwIfAborted();
    const what = timeout.signal.aborted ? `no answer within ${timeoutMs / 1000} s` : `the request failed (${rootMessage(cause)})`;
    throw new PassingFailure(`${url.host}: ${what}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

async function refusePassing(response: Response, url: URL): Promise<Response> {
  const { status } = response;
  if (!PASSING_STATUS.has(status)) return response;
  await discard(response);
  const what = status === 429 ? "too many requests" : "the server failed";
  throw new PassingFailure(`${url.host}: ${what}; expected success, got status ${status}`, {
    status,
    retryAfterMs: parseRetryAfter(response.headers.get("retry-after")),
  });
}
