import { HubError, type HubErrorFacts } from "../errors.js";
import type { RetryOptions } from "../options.js";
import { rootCode } from "./root-cause.js";

/** No attempt waits longer than this by itself. */
const MAX_BACKOFF_MS = 10_000;
/** A server that asks for more patience than this gets none: better an error that says so than a program that seems to hang. */
const MAX_RETRY_AFTER_MS = 10 * 60_000;

/** What systems say when nobody listens at an address; before anything has come from there, it is rather the address that is wrong. */
const NOBODY_THERE: ReadonlySet<string | undefined> = new Set(["ECONNREFUSED", "ENOTFOUND", "EHOSTUNREACH", "ENETUNREACH"]);
const RETRIES_WITH_NOBODY_THERE = 2;

/** A failure that may pass: no answer, a cut connection, status 429 or 5xx. Becomes a HubError when it does not. */
export class PassingFailure extends Error {
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, facts: { status?: number; retryAfterMs?: number | undefined; cause?: unknown } = {}) {
    super(message, { cause: facts.cause });
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** Called before each wait. */
export type OnRetry = (failure: PassingFailure, delayMs: number) => void;

/** Counts the attempts of one request or transfer, and waits between them. */
export class Retries {
  readonly #options: Required<RetryOptions>;
  readonly #signal: AbortSignal | undefined;
  readonly #onRetry: OnRetry | undefined;
  #made = 0;
  #hasMoved = false;

  constructor(options: RetryOptions | undefined, signal: AbortSignal | undefined, onRetry?: OnRetry) {
    this.#options = { count: options?.count ?? 5, baseMs: options?.baseMs ?? 500 };
    this.#signal = signal;
    this.#onRetry = onRetry;
  }

  /** The transfer moved: later failures count from one again. */
  reset(): void {
    this.#made = 0;
    this.#hasMoved = true;
  }

  /** Waits until the next attempt is due; throws HubError (`"unreachable"`) when there is none left, and any other `error` as it is. */
  async wait(error: unknown, facts: Omit<HubErrorFacts, "reason">): Promise<void> {
    if (!(error instanceof PassingFailure)) throw error;
    const { retryAfterMs = 0, message } = error;
    const isHopeless = !this.#hasMoved && this.#made >= RETRIES_WITH_NOBODY_THERE && NOBODY_THERE.has(rootCode(error));
    if (this.#made >= this.#options.count || isHopeless || retryAfterMs > MAX_RETRY_AFTER_MS) {
      const advice = retryAfterMs > 0 ? `try again in ${Math.ceil(retryAfterMs / 1000)} s` : "check the network and the address of the hub";
      throw new HubError(`hub: ${message} (${this.#made + 1} attempts); ${advice}`, {
        reason: "unreachable",
        status: error.status,
        cause: error.cause ?? error,
        ...facts,
      });
    }
    const backoffMs = Math.min(this.#options.baseMs * 2 ** this.#made, MAX_BACKOFF_MS) * (0.5 + Math.random());
    this.#made += 1;
    const delayMs = Math.max(retryAfterMs, Math.round(backoffMs));
    this.#onRetry?.(error, delayMs);
    await sleep(delayMs, this.#signal);
  }
}

/** Milliseconds that a `Retry-After` header asks for: a number of seconds or a date; undefined without one. */
export function parseRetryAfter(header: string | null, now: number = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Math.ceil(Number(header) * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Resolves after `ms`; rejects with the reason of `signal`. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  let stop: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      stop = () => {
        clearTimeout(timer);
        reject(signal!.reason as Error);
      };
      signal?.addEventListener("abort", stop, { once: true });
    });
  } finally {
    if (stop) signal?.removeEventListener("abort", stop);
  }
}
