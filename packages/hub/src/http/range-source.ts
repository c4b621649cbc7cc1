import type { ByteSource } from "@kto/core";
import { HubError } from "../errors.js";
import type { HubClient } from "./client.js";
import { parseContentRange } from "./content-range.js";
import { type Asked, refusal } from "./refusal.js";
import { PassingFailure, Retries } from "./retry.js";
import { rootMessage } from "./root-cause.js";
import { discard, send } from "./send.js";

/** Bytes of the first request: it tells the size, and brings small files and the header of large ones with it. */
const FIRST_BYTES = 64 * 1024;
/** The most that is taken as a whole from a server that ignores ranges. */
const MAX_WHOLE_BYTES = 64 * 2 ** 20;

interface Part {
  bytes: Uint8Array;
  totalBytes: number;
}

/**
 * A file of the hub as a source, read by range requests; nothing is kept. Resolves after a first request, which tells the size.
 *
 * @throws HubError when the hub refuses or cannot be reached, ignores ranges on a large file, or the file changes meanwhile
 */
export async function rangeSource(client: HubClient, url: string, asked: Asked): Promise<ByteSource> {
  const first = await readRange(client, url, asked, 0, FIRST_BYTES);
  return {
    name: url,
    byteLength: first.totalBytes,
    async slice(start, end) {
      if (end <= first.bytes.byteLength) return first.bytes.subarray(start, end);
      const part = await readRange(client, url, asked, start, end);
      if (part.totalBytes === first.totalBytes) return part.bytes;
      throw badRange(
        asked,
        `${url} changed while it was read; expected ${first.totalBytes} bytes in all, got ${part.totalBytes}; open it again`,
      );
    },
  };
}

async function readRange(client: HubClient, url: string, asked: Asked, start: number, end: number): Promise<Part> {
  const retries = new Retries(client.retry, client.signal);
  for (;;) {
    try {
      return await tryRange(client, url, asked, start, end);
    } catch (error) {
      await retries.wait(error, { repo: asked.repo, file: asked.file });
    }
  }
}

async function tryRange(client: HubClient, url: string, asked: Asked, start: number, end: number): Promise<Part> {
  const { response } = await send(client, { url, headers: { range: `bytes=${start}-${end - 1}` } });
  const { status, headers } = response;
  if (status === 416 && headers.get("content-range") === "bytes */0") {
    await discard(response);
    return { bytes: new Uint8Array(0), totalBytes: 0 };
  }
  if (!response.ok) throw await refusal(client, response, asked);
  if (status !== 206) return readWhole(client, response, asked, url, start, end);
  const range = parseContentRange(headers.get("content-range"));
  if (range?.start !== start || range.end !== Math.min(end, range.totalBytes)) {
    await discard(response);
    throw badRange(asked, `${url}: wrong Content-Range; expected bytes ${start}-${end - 1} of a known size, got ${headers.get("content-range")}; across origins the server must expose this header`); // prettier-ignore
  }
  return { bytes: await readBody(client, response, range.end - range.start), totalBytes: range.totalBytes };
}

/** Status 200 instead of 206: takes all of a small file, and refuses a large one. */
async function readWhole(client: HubClient, response: Response, asked: Asked, url: string, start: number, end: number): Promise<Part> {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  if (!(length <= MAX_WHOLE_BYTES)) {
    await discard(response);
    throw badRange(asked, `${url}: the server ignores ranges; expected status 206, got ${response.status} with ${response.headers.get("content-length")} bytes; download the file instead`); // prettier-ignore
  }
  const bytes = await readBody(client, response, length);
  return start === 0 ? { bytes, totalBytes: length } : { bytes: bytes.subarray(start, end), totalBytes: length };
}

async function readBody({ signal }: HubClient, response: Response, expected: number): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    signal?.throwIfAborted();
    throw new PassingFailure(`the transfer broke off (${rootMessage(cause)})`, { cause });
  }
  if (bytes.byteLength === expected) return bytes;
  throw new PassingFailure(`the transfer ended early; expected ${expected} bytes, got ${bytes.byteLength}`);
}

const badRange = ({ repo, file }: Asked, message: string): HubError => new HubError(`hub: ${message}`, { reason: "refused", repo, file });
