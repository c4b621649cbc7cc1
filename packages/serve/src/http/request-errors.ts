import { excerpt, nearestName } from "@kto/core";
import { RequestError } from "../errors.js";

/** A model that is not served. */
export function unknownModel(id: string, ids: readonly string[]): RequestError {
  return new RequestError(
    { operation: "model", problem: `there is no model ${excerpt(id)}`, expected: `one of ${ids.join(", ")}` },
    { status: 404, param: "model", reason: "model_not_found" },
  );
}

/** A path that is not served. */
export function unknownPath(path: string, paths: readonly string[]): RequestError {
  const nearest = nearestName(path, paths, 4);
  return new RequestError(
    {
      operation: "request",
      problem: "there is no such path",
      expected: `one of ${paths.join(", ")}`,
      got: excerpt(path),
      advice: nearest === undefined ? "a client's base URL ends with /v1" : `did you mean ${nearest}?`,
    },
    { status: 404, reason: "unknown_url" },
  );
}

/** A path that is asked in another way than it takes. */
export function wrongMethod(method: string, path: string, expected: string): RequestError {
  return new RequestError(
    { operation: "request", problem: `${path} does not take this method`, expected, got: excerpt(method) },
    { status: 405, reason: "method_not_allowed", headers: { Allow: expected } },
  );
}

/** A client that did not wait for its answer; nobody reads this. */
export function clientHasGone(): RequestError {
  return new RequestError({ operation: "request", problem: "the client has gone", expected: "it to wait for the answer" }, { status: 499 });
}

/** What a server that stops does not answer, or not to the end. */
export function isStopping(expected?: string): RequestError {
  return new RequestError(
    { operation: "server", problem: "it is stopping", expected, advice: "ask again when it has started anew" },
    { status: 503, type: "server_error", reason: "stopping", headers: { "Retry-After": "10" } },
  );
}
