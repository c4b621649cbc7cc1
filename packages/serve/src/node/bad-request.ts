import type { Duplex } from "node:stream";
import { shorten } from "@kto/core";
import { RequestError } from "../errors.js";

/** For the client to read the answer before the connection goes. */
const lingerMs = 500;

/** Answers what the HTTP parser refuses, and closes the connection. */
export function answerBadRequest({ code, message }: NodeJS.ErrnoException, socket: Duplex): void {
  if (code === "ECONNRESET") socket.destroy();
  else if (code === "HPE_HEADER_OVERFLOW")
    answerAndClose(
      socket,
      "431 Request Header Fields Too Large",
      new RequestError({ operation: "request", problem: "its headers are too large", expected: "at most 16 kB" }),
    );
  else
    answerAndClose(
      socket,
      "400 Bad Request",
      new RequestError({ operation: "request", problem: "it cannot be read", expected: "HTTP/1.1", got: shorten(message) }),
    );
}

/** Answers a request that did not arrive, and closes the connection. */
export function answerLateRequest(socket: Duplex): void {
  const said = new RequestError(
    { operation: "request", problem: "it did not arrive in time", expected: "the whole of it" },
    { reason: "request_timeout" },
  );
  answerAndClose(socket, "408 Request Timeout", said);
}

function answerAndClose(socket: Duplex, status: string, said: RequestError): void {
  if (!socket.writable || hasBegun(socket)) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(said.toBody());
  const head = [`HTTP/1.1 ${status}`, "Content-Type: application/json", `Content-Length: ${Buffer.byteLength(body)}`, "Connection: close"];
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
