import type { ByteSource } from "./byte-source.js";
import { SourceError } from "./errors.js";

/** How `httpSource` asks. */
export interface HttpSourceOptions {
  /** Stands in for the global `fetch`. */
  fetch?: typeof fetch;
  /** Ends every request; they reject with its reason. */
  signal?: AbortSignal;
  /** Sent with every request, for example `authorization`. */
  headers?: Record<string, string>;
}

/** Bytes of the first request: it tells the size, and brings the header of most files with it. */
const FIRST_BYTES = 64 * 1024;

interface RangeAnswer {
  bytes: Uint8Array;
  totalBytes: number;
  etag: string | null;
}

/**
 * A URL as a source, read by range requests. Resolves after a first request, which tells the size.
 *
 * @throws SourceError when the server fails (`status`), does not answer with the range that was asked for, or the file changes meanwhile
 */
export async function httpSource(url: string | URL, options: HttpSourceOptions = {}): Promise<ByteSource> {
  const name = String(url);
  const first = await requestRange(name, 0, FIRST_BYTES, options);
  return {
    name,
    byteLength: first.totalBytes,
    async slice(start, end) {
      if (end <= first.bytes.byteLength) return first.bytes.subarray(start, end);
      const answer = await requestRange(name, start, end, options);
      if (answer.totalBytes !== first.totalBytes || answer.etag !== first.etag) {
        throw new SourceError(
          `httpSource: ${name} changed while it was read; expected ${first.totalBytes} bytes and etag ${first.etag}, got ${answer.totalBytes} and ${answer.etag}; open it again`,
          { source: name },
        );
      }
      return answer.bytes;
    },
  };
}

/** One range request. The server may stop at the end of the file, nowhere else. */
async function requestRange(
  url: string,
  start: number,
  end: number,
  { fetch: send = fetch, signal, headers }: HttpSourceOptions,
): Promise<RangeAnswer> {
  const fail = (what: string, facts: { status?: number; cause?: unknown } = {}): SourceError =>
    new SourceError(`httpSource: ${url}: ${what}`, { source: url, ...facts });
  try {
    const response = await send(url, { headers: { ...headers, range: `bytes=${start}-${end - 1}` }, signal: signal ?? null });
    const etag = response.headers.get("etag");
    if (response.status !== 206) {
      await response.body?.cancel();
      if (response.status === 416 && response.headers.get("content-range") === "bytes */0")
        return { bytes: new Uint8Array(0), totalBytes: 0, etag };
      throw response.ok
        ? fail(`the server ignores ranges; expected status 206, got ${response.status}; download the whole file instead`, {
            status: response.status,
          })
        : fail(`the server refused; expected status 206, got ${response.status} ${response.statusText}`, { status: response.status });
    }
    const contentRange = response.headers.get("content-range");
    const [, from, to, total] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange ?? "") ?? []).map(Number);
    if (from !== start || to === undefined || total === undefined || to + 1 !== Math.min(end, total)) {
      await response.body?.cancel();
      throw fail(
        `wrong Content-Range; expected bytes ${start}-${end - 1} of a known size, got ${contentRange}; across origins the server must expose this header`,
        { status: 206 },
      );
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.byteLength !== to + 1 - from)
      throw fail(`body and Content-Range differ; expected ${to + 1 - from} bytes, got ${bytes.byteLength}`, { status: 206 });
    return { bytes, totalBytes: total, etag };
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause instanceof SourceError ? cause : fail("the request failed; check the address and the network", { cause });
  }
}
