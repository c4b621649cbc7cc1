import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { listen } from "@kto/core/node";
import { createApp } from "../app.js";
import { asRequestError } from "../http/answer-request.js";
import type { ServeOptions } from "../options.js";
import { answerBadRequest, badTarget } from "./bad-request.js";
import { isLoopback } from "./loopback.js";
import { watchClients } from "./watch-clients.js";

/** Where a server listens, and how long it waits for its clients. Without a key, on this machine alone, `allowedHosts` is the name that it listens on. */
export interface ServerOptions extends ServeOptions {
  /** Default 127.0.0.1: this machine alone. */
  host?: string | undefined;
  /** 0 takes one that is free. Default 8000. */
  port?: number | undefined;
  /** For the headers of a request to arrive, from the connection's beginning on: 408 after it. Default 10 s. */
  headersTimeoutMs?: number | undefined;
  /** For its body: 408 after it. Default 30 s. */
  requestTimeoutMs?: number | undefined;
  /** A client that reads nothing of its answer for so long is cut off. Default 30 s. */
  stallTimeoutMs?: number | undefined;
}

/** A server that takes requests. */
export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** `http://127.0.0.1:8000` */
  readonly url: string;
  /** As that of `createApp`; then closes every connection. Resolves to how many answers were cut short. */
  close(options?: { graceMs?: number }): Promise<number>;
}

/** Connections at a time. */
const maxConnections = 1024;
/** A connection without a request is kept so long. */
const keepAliveMs = 15_000;
/** For the last bytes of answers to leave when the server closes. */
const flushMs = 1000;

/**
 * Serves a model over HTTP. Resolves when requests are taken.
 *
 * @throws SourceError for an address that cannot be listened on, such as a port in use (`reason: "EADDRINUSE"`); as `createApp`
 */
export async function serve(options: ServerOptions): Promise<RunningServer> {
  const { host = "127.0.0.1", port = 8000, headersTimeoutMs = 10_000, requestTimeoutMs = 30_000, stallTimeoutMs = 30_000 } = options;
  const isOpen = options.apiKey === undefined && (await isLoopback(host));
  const { app, close } = createApp({
    ...options,
    allowedHosts: options.allowedHosts ?? (isOpen ? [host].filter((name) => isIP(name) === 0) : undefined),
  });
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    errorHandler: (error) =>
      badTarget(error) ?? Response.json(asRequestError(error, options.onError ?? (() => {})).toBody(), { status: 500 }),
  });
  const server = createServer({ headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: keepAliveMs }, (incoming, outgoing) => {
    void listener(incoming, outgoing);
  });
  server.maxConnections = maxConnections;
  server.on("clientError", answerBadRequest);
  const underWay = watchClients(server, { headersTimeoutMs, requestTimeoutMs, stallTimeoutMs, keepAliveMs });
  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  return {
    host,
    port: address.port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    close: async (closeOptions) => {
      const numCut = await close(closeOptions);
      await flushed(underWay);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return numCut;
    },
  };
}

/** Waits until these answers have left, for a moment. */
async function flushed(underWay: ReadonlySet<ServerResponse>): Promise<void> {
  const end = performance.now() + flushMs;
  while (underWay.size > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
}
