import { excerpt } from "@kto/core";
import type { HubOptions, RetryOptions } from "../options.js";
import { HubError } from "../errors.js";

/** How requests to one hub are made. */
export interface HubClient {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly origin: string;
  readonly token: string | undefined;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal | undefined;
  readonly retry: RetryOptions | undefined;
  /** `manual`: we follow redirects ourselves and see each of them (Node); `follow`: the platform does, since a browser hides them. */
  readonly redirect: "manual" | "follow";
  /** Milliseconds without an answer, and without a byte, after which a request counts as cut. */
  readonly timeouts: { metadataMs: number; transferMs: number };
}

/** The parts of a client that depend on the platform. */
export type ClientDefaults = Pick<HubClient, "endpoint" | "token" | "redirect" | "timeouts">;

/** Joins options and defaults. Throws HubError for an endpoint that is no http(s) address. */
export function createClient(options: HubOptions, defaults: ClientDefaults): HubClient {
  const endpoint = (options.endpoint ?? defaults.endpoint).replace(/\/+$/, "");
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol)) {
    throw new HubError(`hub: not the address of a hub; expected https://…, got ${excerpt(endpoint)}; check endpoint or HF_ENDPOINT`, {
      reason: "unreachable",
    });
  }
  const token = options.token === false ? undefined : (options.token ?? defaults.token);
  return {
    ...defaults,
    endpoint,
    origin: new URL(endpoint).origin,
    token: token?.trim() === "" ? undefined : token?.trim(),
    fetch: options.fetch ?? fetch,
    signal: options.signal,
    retry: options.retry,
  };
}
