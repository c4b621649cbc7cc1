import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A request as it was seen. */
export interface LoopbackRequest {
  host: "hub" | "storage";
  method: string;
  /** With its query, as it came. */
  path: string;
  range: string | undefined;
  authorization: string | undefined;
  /** Status of the answer; 0 when there was none. */
  status: number;
  /** Bytes of a file that were sent. */
  bytes: number;
}

/** What goes wrong with an answer. */
export interface Fault {
  /** This status instead of what was asked for, with `headers`. */
  status?: number;
  headers?: Record<string, string>;
  /** Closes the connection after so many bytes of the file; 0: before the answer begins. */
  cutAfter?: number;
  /** Changes the first byte that is sent of a file. */
  corrupt?: boolean;
  /** Answers as though no range had been asked for. */
  ignoreRange?: boolean;
  /** Waits before it answers. */
  delayMs?: number;
  /** Sends a file no faster. */
  bytesPerSecond?: number;
  /** Sends so many bytes of the file and then nothing more, with the connection open. */
  stallAfter?: number;
}

/** A request that is being answered. */
export interface Served {
  url: URL;
  request: LoopbackRequest;
  fault: Fault;
}

const CHUNK = 64 * 1024;

/** A server on a free port of 127.0.0.1 that does to each request what `served` says, and otherwise what `handle` does. */
export async function listen(
  host: LoopbackRequest["host"],
  served: (request: LoopbackRequest) => Fault,
  handle: (asked: Served, response: ServerResponse) => Promise<void>,
): Promise<{ address: string; close(): Promise<void> }> {
  const server = createServer((incoming, response) => {
    respond(incoming, response).catch(() => response.destroy()); // the client went away
  });
  const respond = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "GET", url = "/", headers } = incoming;
    const request: LoopbackRequest = {
      host,
      method,
      path: url,
      range: headers.range,
      authorization: headers.authorization,
      status: 0,
      bytes: 0,
    };
    const asked: Served = { url: new URL(url, `http://${headers.host}`), request, fault: served(request) };
    const { delayMs, cutAfter, status } = asked.fault;
    if (delayMs !== undefined) await sleep(delayMs);
    if (cutAfter === 0) response.destroy();
    else if (status === undefined) await handle(asked, response);
    else sendJson(asked, response, status, { error: "as the test wants it" }, asked.fault.headers);
  };
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** Answers with JSON, or with nothing for `""`. */
export function sendJson(
  { request }: Served,
  response: ServerResponse,
  status: number,
  body: unknown,
  headers?: Record<string, string>,
): void {
  request.status = status;
  const text = body === "" ? "" : JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...headers });
  response.end(request.method === "HEAD" ? "" : text);
}

/** Answers with a file or the range of it that was asked for. */
export async function sendBytes(
  { request, fault }: Served,
  response: ServerResponse,
  bytes: Uint8Array,
  headers: Record<string, string>,
): Promise<void> {
  const total = bytes.byteLength;
  const [, from, to] = (fault.ignoreRange ? undefined : /^bytes=(\d+)-(\d*)$/.exec(request.range ?? "")) ?? [];
  const start = Number(from ?? 0);
  const end = Math.min(to ? Number(to) + 1 : total, total);
  if (from !== undefined && start >= total) {
    request.status = 416;
    response.writeHead(416, { "content-range": `bytes */${total}` }).end();
    return;
  }
  request.status = from === undefined ? 200 : 206;
  const range = from === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${total}` };
  response.writeHead(request.status, { ...headers, ...range, "accept-ranges": "bytes", "content-length": end - start });
  if (request.method === "HEAD") response.end();
  else await sendBody(request, fault, response, bytes.subarray(start, end));
}

async function sendBody(request: LoopbackRequest, fault: Fault, response: ServerResponse, body: Uint8Array): Promise<void> {
  const { cutAfter = Infinity, stallAfter = Infinity, corrupt = false, bytesPerSecond = Infinity } = fault;
  const chunk = bytesPerSecond === Infinity ? CHUNK : Math.max(1, Math.min(CHUNK, Math.ceil(bytesPerSecond / 50)));
  const length = Math.min(body.byteLength, cutAfter, stallAfter);
  const startMs = performance.now();
  for (let at = 0; at < length; at += chunk) {
    const part = body.slice(at, Math.min(at + chunk, length));
    if (corrupt && at === 0) part[0] = part[0]! ^ 0xff;
    if (response.destroyed) return;
    const isFree = response.write(part);
    request.bytes += part.byteLength;
    if (!isFree) await drained(response);
    const aheadMs = ((at + chunk) / bytesPerSecond) * 1000 - (performance.now() - startMs);
    if (aheadMs > 1) await sleep(aheadMs);
  }
  if (length === body.byteLength) response.end();
  else if (cutAfter <= stallAfter) response.destroy();
}

/** Resolves when there is room again, or nobody left to send to. */
async function drained(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const go = (): void => {
      response.off("drain", go).off("close", go);
      resolve();
    };
    response.on("drain", go).on("close", go);
  });
}
