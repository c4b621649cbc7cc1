import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { answerLateRequest } from "./bad-request.js";

/** How long a server waits for its clients, in milliseconds. */
export interface Patience {
  /** For the headers of a request, from the connection's beginning on. */
  headersTimeoutMs: number;
  /** For the rest of it. */
  requestTimeoutMs: number;
  /** For a client that reads nothing of its answer. */
  stallTimeoutMs: number;
  /** For the next request of a connection to begin. */
  keepAliveMs: number;
}

/**
 * Between the end of patience and what follows from it. A model may keep this process busy for seconds, while what clients send waits to be read: it is read
 * before anybody is found late. (Node's own timeouts look first.)
 */
const lastLookMs = 20;

/**
 * Answers requests that do not arrive in time with 408, and cuts off clients that do not read. Node's own timeouts are for the caller to turn off.
 *
 * @returns the answers that are under way
 */
export function watchClients(server: Server, patience: Patience): ReadonlySet<ServerResponse> {
  const { headersTimeoutMs, requestTimeoutMs, stallTimeoutMs, keepAliveMs } = patience;
  const underWay = new Set<ServerResponse>();
  const cancels = new Map<Socket, () => void>();
  const expectBy = (socket: Socket, ms: number, hasArrived: () => boolean): void => {
    cancels.get(socket)?.();
    cancels.set(
      socket,
      afterLastLook(ms, () => {
        if (!hasArrived()) answerLateRequest(socket);
      }),
    );
  };
  server.on("connection", (socket: Socket) => {
    expectBy(socket, headersTimeoutMs, () => false); // a request that comes replaces it
    socket.on("close", () => {
      cancels.get(socket)?.();
      cancels.delete(socket);
    });
  });
  server.on("request", (incoming, outgoing) => {
    const { socket } = incoming;
    underWay.add(outgoing);
    expectBy(socket, requestTimeoutMs, () => incoming.complete);
    outgoing.on("close", () => {
      underWay.delete(outgoing);
      if (!socket.destroyed) expectBy(socket, keepAliveMs + headersTimeoutMs, () => false);
    });
  });
  server.setTimeout(stallTimeoutMs, (socket: Socket) => {
    const { bytesRead } = socket;
    afterLastLook(0, () => {
      const waitsForUs = [...underWay].some((outgoing) => outgoing.socket === socket) && socket.writableLength === 0;
      if (waitsForUs || socket.bytesRead > bytesRead) socket.setTimeout(stallTimeoutMs);
      else socket.destroy();
    });
  });
  return underWay;
}

/** Acts after so long, once what has come meanwhile has been read. Gives what cancels it. */
function afterLastLook(ms: number, act: () => void): () => void {
  let timer = setTimeout(() => (timer = setTimeout(act, lastLookMs)), ms);
  return () => clearTimeout(timer);
}
