import type { HubClient } from "../http/client.js";
import { PassingFailure, parseRetryAfter } from "../http/retry.js";
import { rootMessage } from "../http/root-cause.js";
import { discard } from "../http/send.js";
import type { Content } from "./content.js";

/** Part of a file that goes to an address of the storage. */
export interface Part {
  content: Content;
  from: number;
  to: number;
  url: string;
  headers: Record<string, string>;
}

/** The storage takes nothing at an address any more, or never did. */
export class StaleAddress extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`the storage answers status ${status}`);
    this.status = status;
  }
}

const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
/** A storage takes longer to put bytes away than to give them out. */
const PATIENCE = 6;

/**
 * One attempt to put bytes at an address of the storage. The token stays away from it: the address is the permission. Resolves to the `ETag`.
 *
 * @throws PassingFailure for a cut connection, one on which nothing moves, 429 and 5xx; StaleAddress for other statuses; the signal's reason
 */
export async function put(
  { fetch: ask, timeouts }: HubClient,
  { content, from, to, url, headers }: Part,
  signal: AbortSignal | undefined,
  onBytes: (count: number) => void,
): Promise<string> {
  signal?.throwIfAborted();
  const { host } = new URL(url);
  const stalled = new AbortController();
  const idleMs = PATIENCE * timeouts.transferMs;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const moved = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => stalled.abort(), idleMs);
  };
  moved();
  const body = content.body(from, to, (count) => {
    moved();
    onBytes(count);
  });
  let response: Response;
  try {
    response = await ask(url, {
      method: "PUT",
      body,
      headers,
      signal: signal ? AbortSignal.any([signal, stalled.signal]) : stalled.signal,
    });
  } catch (cause) {
    signal?.throwIfAborted();
    await content.expectUnchanged(); // a file that shrank looks like a cut connection
    const what = stalled.signal.aborted ? `nothing moved for ${idleMs / 1000} s` : `the upload broke off (${rootMessage(cause)})`;
    throw new PassingFailure(`${host}: ${what}`, { cause });
  } finally {
    clearTimeout(timer);
  }
  await discard(response);
  const { status } = response;
  if (response.ok) return response.headers.get("etag") ?? "";
  if (!PASSING.has(status)) throw new StaleAddress(status);
  throw new PassingFailure(`${host}: the storage failed; expected success, got status ${status}`, {
    status,
    retryAfterMs: parseRetryAfter(response.headers.get("retry-after")),
  });
}
