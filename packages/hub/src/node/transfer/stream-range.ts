import type { HubClient } from "../../http/client.js";
import { parseContentRange } from "../../http/content-range.js";
import { type Asked, refusal } from "../../http/refusal.js";
import { PassingFailure } from "../../http/retry.js";
import { rootMessage } from "../../http/root-cause.js";
import { type Answer, discard, send } from "../../http/send.js";
import type { ByteRange } from "./range-set.js";

/** Bytes gathered before they are written. */
const BUFFER_BYTES = 512 * 1024;
/** What has come is written after so long, however little it is. */
const FLUSH_MS = 1_000;

/** The server gives the whole file where a range was asked for. */
export class RangesIgnored extends Error {}

/** The content is not what was announced: another size, or another digest. */
export class WrongContent extends Error {}

/** A file of the hub. */
export interface RemoteFile {
  url: string;
  asked: Asked;
  size: number;
}

/** Where bytes go. */
export interface Sink {
  /** Called as soon as bytes have come. */
  received(bytes: number): void;
  /** Called for bytes in order; the array is used again afterwards. */
  write(bytes: Uint8Array, position: number): Promise<void>;
}

/**
 * One attempt to fetch a range of a file; asks for the file itself where the range is all of it. What came before a failure has been written.
 *
 * @throws PassingFailure when it may help to try again; RangesIgnored; WrongContent for a file of another size; HubError when the hub refuses;
 *   the signal's reason; what `sink` throws
 */
export async function streamRange(client: HubClient, file: RemoteFile, range: ByteRange, sink: Sink): Promise<void> {
  const headers: Record<string, string> = isWhole(file, range) ? {} : { range: `bytes=${range.start}-${range.end - 1}` };
  const answer = await send(client, { url: file.url, headers });
  try {
    await expectRange(client, file, range, answer);
  } catch (error) {
    await discard(answer.response);
    throw error;
  }
  await pump(client, answer, range, sink);
}

const isWhole = ({ size }: RemoteFile, { start, end }: ByteRange): boolean => start === 0 && end === size;

/** Whether an answer holds the bytes that were asked for. */
async function expectRange(client: HubClient, file: RemoteFile, { start, end }: ByteRange, { response, location }: Answer): Promise<void> {
  const { status, headers } = response;
  if (status === 416) throw new WrongContent(`the file is shorter than announced; expected ${file.size} bytes`);
  if (!response.ok) {
    const { host, origin } = new URL(location);
    if (origin === client.origin) throw await refusal(client, response, file.asked);
    throw new PassingFailure(`${host}: the storage refused; expected success, got status ${status}`, { status }); // its links expire
  }
  if (status !== 206) {
    if (!isWhole(file, { start, end })) throw new RangesIgnored(`status ${status} where a range was asked for`);
    const length = headers.get("content-length");
    if (length !== null && Number(length) !== file.size) throw otherSize(file.size, length);
    return;
  }
  const range = parseContentRange(headers.get("content-range"));
  if (range && range.totalBytes !== file.size) throw otherSize(file.size, range.totalBytes);
  if (range?.start !== start || range.end !== end) {
    throw new RangesIgnored(`wrong Content-Range; expected bytes ${start}-${end - 1}, got ${headers.get("content-range")}`);
  }
}

async function pump(client: HubClient, { response, location }: Answer, { start, end }: ByteRange, sink: Sink): Promise<void> {
  const { signal, timeouts } = client;
  const reader = response.body?.getReader();
  const buffer = new Uint8Array(Math.min(BUFFER_BYTES, end - start));
  let filled = 0;
  let position = start;
  let isLate = false;
  const flush = async (): Promise<void> => {
    const bytes = buffer.subarray(0, filled);
    if (filled > 0) await sink.write(bytes, position);
    position += filled;
    filled = 0;
  };
  const watchdog = setTimeout(() => {
    isLate = true;
    reader?.cancel().catch(() => {}); // the read under way ends
  }, timeouts.transferMs);
  try {
    let flushedMs = performance.now();
    for (;;) {
      const { chunk, cause } = await readChunk(reader);
      watchdog.refresh();
      if (!chunk) {
        await flush();
        signal?.throwIfAborted();
        if (position === end && cause === undefined) return;
        const ending = cause === undefined ? "it ended early" : rootMessage(cause);
        const why = isLate ? `nothing came for ${timeouts.transferMs / 1000} s` : ending;
        throw new PassingFailure(`${new URL(location).host}: the transfer broke off (${why})`, { cause });
      }
      if (position + filled + chunk.byteLength > end) throw new WrongContent(`more bytes than announced; expected ${end - start}`);
      sink.received(chunk.byteLength);
      for (let at = 0; at < chunk.byteLength;) {
        const piece = chunk.subarray(at, at + buffer.byteLength - filled);
        buffer.set(piece, filled);
        filled += piece.byteLength;
        at += piece.byteLength;
        if (filled === buffer.byteLength) await flush();
      }
      if (performance.now() - flushedMs < FLUSH_MS) continue;
      await flush();
      flushedMs = performance.now();
    }
  } finally {
    clearTimeout(watchdog);
    await reader?.cancel().catch(() => {}); // nothing, where it has ended
  }
}

/** The next bytes; neither bytes nor cause at the end. */
async function readChunk(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<{ chunk?: Uint8Array; cause?: unknown }> {
  try {
    const next = await reader?.read();
    return next?.value ? { chunk: next.value } : {};
  } catch (cause) {
    return { cause };
  }
}

const otherSize = (expected: number, got: number | string): WrongContent =>
  new WrongContent(`the file has another size than announced; expected ${expected} bytes, got ${got}`);
