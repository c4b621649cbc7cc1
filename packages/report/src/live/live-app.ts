import { errorMessage, eventStream, eventStreamHeaders, isKtoError } from "@kto/core";
import { Hono } from "hono";
import { livePage } from "../report-html.js";
import { expectAccess, newToken } from "./access.js";
import { runActions } from "./live-run.js";
import { LiveRuns, type LiveRunsOptions } from "./live-runs.js";
import { runEvents } from "./run-events.js";

/** Options of {@link createLiveApp}. */
export interface LiveAppOptions extends LiveRunsOptions {
  /** Title of the page. */
  title: string;
  /** What lets a browser in; by default another each time. */
  token?: string | undefined;
}

/** The page of live runs as a web-standard app: `fetch` takes requests. */
export interface LiveApp {
  readonly app: Hono;
  readonly token: string;
  /** Something has changed that the page should show at once. */
  wake(): void;
  /** Ends every stream, after its page was told what there is to tell. */
  close(): void;
}

/**
 * Makes the app: `/` is the page, `/events?run=NAME` a stream of what is new, `POST /pause`, `/resume`, `/save` and `/stop` act on the run of this process. Everything
 * asks for the token.
 */
export function createLiveApp({ title, token = newToken(), ...options }: LiveAppOptions): LiveApp {
  const live = new LiveRuns(options);
  const app = new Hono();
  app.onError((error, c) => c.text(`server: the answer failed: ${error.message}\n`, 500));
  app.get("/favicon.ico", (c) => c.body(null, 204));
  app.use(expectAccess(token));
  app.get("/", async (c) => {
    const { html, policy } = await livePage(title);
    return c.html(html, 200, { "Content-Security-Policy": `${policy}; frame-ancestors 'none'` });
  });
  app.get("/events", (c) =>
    c.body(
      eventStream(runEvents(live, c.req.queries("run") ?? []), () => {}),
      200,
      { ...eventStreamHeaders },
    ),
  );
  for (const action of runActions)
    app.post(`/${action}`, async (c) => {
      const control = (await live.controlled())?.control;
      if (!control || live.isClosed)
        return c.text(`${action}: ${control ? "the run has ended" : "the run is of another process, and can only be looked at"}\n`, 409);
      const done = Promise.resolve(control[action]());
      live.wake(); // the page is told of the state that it brings, while it lasts
      return done.then(
        () => c.body(null, 204),
        (error: unknown) => c.text(`${messageOf(error)}\n`, 500),
      );
    });
  return { app, token, wake: () => live.wake(), close: () => live.close() };
}

function messageOf(error: unknown): string {
  if (isKtoError(error) && error.parts) return errorMessage(error.parts);
  return error instanceof Error ? error.message : String(error);
}
