import type { Duplex } from "node:stream";
import { shorten } from "@kto/core";
import { RequestError } from "../errors.js";

/** For the client to read the answer before the connection goes. */
const lingerMs = 500;

/** Answers what the HTTP parser refuses, or waited for in vain, and closes the connection. */
export function answerBadRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable || hasBegun(socket)) {
    socket.destroy();
    return;
  }
  const { status, phrase, said } = refusal(error);
  const body = JSON.stringify(said.toBody());
  const head = [
    `HTTP/1.1 ${status} ${phrase}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  setTimeout(() => socket.destroy(), lingerMs).unref();
}

/** The answer to a request whose target or host is none; undefined for an error of another kind. */
export function badTarget(error: unknown): Response | undefined {
  if (!(error instanceof Error) || error.name !== "RequestError" || error instanceof RequestError) return undefined; // Hono's, of that name
  const text = { operation: "request", problem: "its target is not usable", expected: "a path and a host", got: shorten(error.message) };
  return Response.json(new RequestError(text, { cause: error }).toBody(), { status: 400 });
}

/** True once a part of an answer has been sent, which another would damage. */
function hasBegun(socket: Duplex): boolean {
  const { _httpMessage: message } = socket as Duplex & { _httpMessage?: { headersSent?: boolean } | null };
  return message?.headersSent === true;
}

function refusal({ code, message }: NodeJS.ErrnoException): { status: number; phrase: string; said: RequestError } {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT")
    return {
      status: 408,
      phrase: "Request Timeout",
      said: new RequestError(
        { operation: "request", problem: "it did not arrive in time", expected: "the whole of it" },
        { reason: "request_timeout" },
      ),
    };
  if (code === "HPE_HEADER_OVERFLOW")
    return {
      status: 431,
      phrase: "Request Header Fields Too Large",
      said: new RequestError({ operation: "request", problem: "its headers are too large", expected: "at most 16 kB" }),
    };
  return {
    status: 400,
    phrase: "Bad Request",
    said: new RequestError({ operation: "request", problem: "it cannot be read", expected: "HTTP/1.1", got: shorten(message) }),
  };
}
