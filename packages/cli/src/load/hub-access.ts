import { excerpt } from "@kto/core";
import { cacheFolder, hubEndpoint, hubToken, isOffline } from "@kto/hub/node";
import type { HubPlaceOptions, PlaceOptions } from "@kto/kit";
import { ConfigError, InterruptedError } from "../errors.js";
import type { Io } from "../io.js";
import type { Console } from "../render/console.js";
import { DownloadDisplay } from "../render/download-display.js";

/** A command's way to the hub. */
export interface HubAccess {
  /** Where the hub and its cache are, as the environment says; progress goes to stderr. */
  readonly hub: HubPlaceOptions & { endpoint: string };
  /** The same for the functions of the kit. */
  readonly place: PlaceOptions;
  readonly console: Console;
  readonly display: DownloadDisplay;
  /** What was read from the hub: commits by the ids that were asked for, `datasets/` before those of data sets. */
  readonly commits: Map<string, string>;
}

/** Longer without a word looks as though the command hung. */
const silentMs = 3000;

/** The way to the hub that the environment names; progress goes to stderr. */
export function hubAccess(io: Io, console: Console): HubAccess {
  const display = new DownloadDisplay(console);
  const hub = {
    endpoint: hubEndpoint(io.env),
    token: hubToken(io.env) ?? false,
    cacheDir: cacheFolder(io.env),
    offline: isOffline(io.env),
    onProgress: display.show,
  } as const;
  return { hub, place: { hub, signal: io.signal }, console, display, commits: new Map() };
}

/** The way of a push. */
export interface PushWay {
  endpoint: string;
  token: string;
  cacheDir: string;
  signal?: AbortSignal;
  onProgress: DownloadDisplay["show"];
}

/**
 * The way to the hub for a push, with a token that was named or the environment's. Throws ConfigError where nothing may be sent, or the hub's address is
 * none.
 */
export function pushWay({ hub, place: { signal }, display }: HubAccess, token: string | null): PushWay {
  const { endpoint, cacheDir = "", offline, token: own } = hub;
  if (offline === true)
    throw new ConfigError([
      "push: HF_HUB_OFFLINE is set; expected that something may be sent, got an environment that forbids it; unset it",
    ]);
  expectAddress(endpoint);
  // An empty token is none, and does not stand for another environment's.
  return { endpoint, token: token ?? (own === false || own === undefined ? "" : own), cacheDir, ...(signal && { signal }), onProgress: display.show }; // prettier-ignore
}

/** Runs a push; its bars go when it ends. An abort becomes an InterruptedError that says what became of it. Throws ConfigError as {@link pushWay}. */
export async function pushing<Result>(
  access: HubAccess,
  token: string | null,
  work: (way: PushWay) => Promise<Result>,
  interrupted = "interrupted; nothing of this was published, and the same command sends what is missing",
): Promise<Result> {
  const way = pushWay(access, token);
  return watched(access, interrupted, () => work(way));
}

/** Runs a download; its bars go when it ends. An abort becomes an InterruptedError that says what was kept. Throws ConfigError for an address that is none. */
export async function downloading<Result>(access: HubAccess, work: () => Promise<Result>): Promise<Result> {
  expectAddress(access.hub.endpoint);
  return watched(access, "interrupted; what was downloaded is kept, and the same command goes on from there", work);
}

function expectAddress(endpoint: string): void {
  if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
    throw new ConfigError([`HF_ENDPOINT: not the address of a hub; expected https://…, got ${excerpt(endpoint)}; unset it, or mend it`]);
}

async function watched<Result>(
  { hub: { endpoint }, place: { signal }, display }: HubAccess,
  interrupted: string,
  work: () => Promise<Result>,
): Promise<Result> {
  // prettier-ignore
  const patience = setTimeout(() => display.waiting(endpoint), silentMs);
  try {
    return await work();
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw new InterruptedError(interrupted);
  } finally {
    clearTimeout(patience);
    display.stop();
  }
}
