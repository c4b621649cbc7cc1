import { excerpt, shorten } from "@kto/core";
import { RequestError } from "../errors.js";
import { isObject, RequestFields } from "../request/fields.js";

/**
 * The body of a request as the fields of a JSON object. No more than `maxBytes` of it are held.
 *
 * @throws RequestError: 415 for another type of content, 413 for too much of it, 408 for a body that breaks off, 400 for what is no JSON object
 */
export async function readJson(request: Request, maxBytes: number): Promise<RequestFields> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/(json|[\w.-]+\+json)\s*(;|$)/i.test(type))
    // also keeps pages of other sites out, which can send plain text without asking
    throw new RequestError(
      {
        operation: "request",
        problem: "its content is of a type that is not read",
        expected: "Content-Type: application/json",
        got: type === "" ? "none" : shorten(type),
      },
      { status: 415, reason: "unsupported_media_type" },
    );
  const text = await readBody(request, maxBytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const said = shorten((cause as Error).message, 120);
    throw new RequestError(
      { operation: "request", problem: "its body is damaged", expected: "JSON", got: said },
      { reason: "invalid_json", cause },
    );
  }
  if (isObject(value)) return new RequestFields(value);
  throw new RequestError({ operation: "request", problem: "its body is not usable", expected: "a JSON object", got: excerpt(value) });
}

async function readBody(request: Request, maxBytes: number): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (!request.body) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  let length = 0;
  let text = "";
  for (;;) {
    const { done, value } = await reader.read().catch((cause: unknown): never => {
      throw new RequestError(
        { operation: "request", problem: "its body breaks off", expected: "all of it in time" },
        { status: 408, reason: "request_timeout", cause },
      );
    });
    length += value?.byteLength ?? 0;
    if (length > maxBytes) throw tooLarge(maxBytes); // what comes is left where it is: whoever serves the app drains it or hangs up
    text += decoded(decoder, value, done);
    if (done) return text;
  }
}

function decoded(decoder: TextDecoder, bytes: Uint8Array | undefined, isEnd: boolean): string {
  try {
    return decoder.decode(bytes, { stream: !isEnd });
  } catch (cause) {
    throw new RequestError(
      { operation: "request", problem: "its body is damaged", expected: "JSON in UTF-8", got: "bytes that are none" },
      { reason: "invalid_json", cause },
    );
  }
}

function tooLarge(maxBytes: number): RequestError {
  return new RequestError(
    { operation: "request", problem: "its body is too large", expected: `at most ${maxBytes} bytes`, advice: "send less text" },
    { status: 413, reason: "request_too_large" },
  );
}
