import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { isKtoError, type SourceError } from "@kto/core";
import { listen } from "@kto/core/node";
import { createLiveApp, type LiveAppOptions } from "./live-app.js";

/** Options of {@link serveRuns}. */
export interface ServeRunsOptions extends LiveAppOptions {
  /** 0 takes one that is free. By default 6006, or one of the nine behind it, or any that is free. */
  port?: number | undefined;
}

/** The page of live runs, where this machine alone reaches it. */
export interface RunsServer {
  readonly port: number;
  /** The address to open, with the token: `http://127.0.0.1:6006/?token=…` */
  readonly url: string;
  /** Something has changed that the page should show at once. */
  wake(): void;
  /** Tells every page what there is to tell and closes its connection; a page that does not listen is waited for a second. */
  close(): Promise<void>;
}

const host = "127.0.0.1";

/** That of TensorBoard, and how many are tried from there on. */
const firstPort = 6006;
const numPorts = 10;

const maxConnections = 256;
/** A client that reads nothing of its answer for so long is cut off. */
const stallMs = 30_000;
/** For the last events to leave when the server closes. */
const flushMs = 1000;

/**
 * Serves the page of runs on this machine, until it is closed. It holds up nothing: what a page is told is made when it is asked for, and nothing while there is none.
 *
 * @throws SourceError for a port that is in use (`reason: "EADDRINUSE"`) or may not be taken
 */
export async function serveRuns({ port, ...options }: ServeRunsOptions): Promise<RunsServer> {
  const { app, token, wake, close } = createLiveApp(options);
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    errorHandler: () => new Response("request: its target is not usable; expected a path and a host\n", { status: 400 }),
  });
  const server = createServer((incoming, outgoing) => void listener(incoming, outgoing));
  server.maxConnections = maxConnections;
  server.setTimeout(stallMs, (socket) => {
    if (socket.writableLength > 0) socket.destroy();
  });
  const open = new Set<object>();
  server.on("request", (_, outgoing) => {
    open.add(outgoing);
    outgoing.on("close", () => open.delete(outgoing));
  });
  await listenSomewhere(server, port);
  const { port: taken } = server.address() as AddressInfo;
  return {
    port: taken,
    url: `http://${host}:${taken}/?token=${token}`,
    wake,
    close: async () => {
      close();
      const end = performance.now() + flushMs;
      while (open.size > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

/** On the port that is asked for, and only there; else on the first that is free. */
async function listenSomewhere(server: Server, port: number | undefined): Promise<void> {
  if (port !== undefined) return listen(server, host, port);
  for (const tried of Array.from({ length: numPorts }, (_, index) => firstPort + index)) {
    try {
      return await listen(server, host, tried);
    } catch (error) {
      if (!(isKtoError(error) && (error as SourceError).reason === "EADDRINUSE")) throw error;
    }
  }
  return listen(server, host, 0);
}
