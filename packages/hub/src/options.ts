import type { RepoType } from "./repo-id.js";

/** How often and how patiently a request is tried again after status 429, 5xx, no answer, or a cut connection. */
export interface RetryOptions {
  /** Attempts after the first; default 5. A transfer that moves forward starts to count afresh. */
  count?: number;
  /** Milliseconds before the first of them, doubled from one to the next (at most 10 s), give or take a half; default 500. `Retry-After` comes before it. */
  baseMs?: number;
}

/** What every request to a hub takes. */
export interface HubOptions {
  repoType?: RepoType;
  /** Branch, tag or commit; default `"main"`, or what the id names after `@`. */
  revision?: string;
  /** Access token; `false` sends none. It goes to the hub itself and to no host that the hub redirects to. */
  token?: string | false;
  /** Address of the hub; default `https://huggingface.co`. */
  endpoint?: string;
  /** Ends every request; calls reject with its reason. */
  signal?: AbortSignal;
  /** Stands in for the global `fetch`, for example to go through a proxy. */
  fetch?: typeof fetch;
  retry?: RetryOptions;
}
