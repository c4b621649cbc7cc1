import { excerpt, isLocalHost } from "@kto/core";
import { RequestError } from "../errors.js";

/**
 * Throws RequestError, with status 403, unless a request was sent to an IP address, to localhost or to one of these names: see `isLocalHost`.
 *
 * @param url  of the request: its host is what the Host header says
 */
export function expectHost(url: string, names: readonly string[]): void {
  const host = new URL(url).hostname.replace(/\.$/, "");
  if (isLocalHost(host) || names.some((name) => name.toLowerCase() === host)) return;
  throw new RequestError(
    {
      operation: "request",
      problem: "its Host is none that this server answers to",
      expected: ["an IP address", "localhost", ...names].join(", "),
      got: excerpt(host),
      advice: "a server with a key answers to any",
    },
    { status: 403, reason: "host_not_allowed" },
  );
}
