import type { Context, MiddlewareHandler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { RequestError } from "../errors.js";
import type { ServeOptions } from "../options.js";
import type { Metrics } from "./metrics.js";

/** What becomes known of a request while it is answered. */
export interface ServeEnvironment {
  Variables: { promptTokens?: number; newTokens?: Promise<number> };
}

/** Counts requests, by those of `paths` and by status, and tells of each when its answer has ended. */
export function record(
  metrics: Metrics,
  paths: readonly string[],
  onRequest: ServeOptions["onRequest"],
): MiddlewareHandler<ServeEnvironment> {
  return async (c, next) => {
    const started = performance.now();
    await next();
    const { status } = c.res;
    const { method, path } = c.req;
    metrics.requests.add(1, { path: paths.find((known) => path === known || path.startsWith(`${known}/`)) ?? "other", status });
    const promptTokens = c.get("promptTokens") ?? 0;
    const ended = (newTokens: number): void =>
      onRequest?.({ method, path, status, elapsedMs: performance.now() - started, promptTokens, newTokens });
    void (c.get("newTokens") ?? Promise.resolve(0)).then(ended);
  };
}

/** An error as the answer of a request. */
export function errorAnswer(c: Context, error: RequestError): Response {
  return c.json(error.toBody(), error.status as ContentfulStatusCode, { ...error.headers });
}
