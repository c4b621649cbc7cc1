import { beginsAsHtml } from "./html.js";
import { SourceError } from "../errors.js";
import { bytesSource, type ByteSource } from "./byte-source.js";
import { absoluteUrl } from "./page-url.js";

/** How `httpSource` asks. */
export interface HttpSourceOptions {
  /** Stands in for the global `fetch`. */
  fetch?: typeof fetch;
  /** Ends every request; they reject with its reason. */
  signal?: AbortSignal;
  /** Sent with every request, for example `authorization`. */
  headers?: Record<string, string>;
  /** Called when a server ignores ranges, so that the whole file was read and is kept in memory. */
  onWholeFile?: (file: { url: string; byteLength: number }) => void;
}

/** Bytes of the first request: it tells the size, and brings the header of most files with it. */
const FIRST_BYTES = 64 * 1024;
/** The most that is kept of a server that ignores ranges: a browser gives a page a few GiB in all, and files of a model are read one beside another. */
export const MAX_WHOLE_BYTES: number = 2 ** 30;

interface RangeAnswer {
  bytes: Uint8Array;
  totalBytes: number;
  etag: string | null;
  /** The server ignored the range: `bytes` is all of the file. */
  isWhole: boolean;
  contentType: string | null;
}

/**
 * A URL as a source, read by range requests. Resolves after a first request, which tells the size. A file of a server that ignores ranges is read
 * whole, once, up to 1 GiB (`onWholeFile` tells).
 *
 * @throws SourceError when the server fails (`status`), does not answer with the range that was asked for, or the file changes meanwhile
 */
export async function httpSource(url: string | URL, options: HttpSourceOptions = {}): Promise<ByteSource> {
  return (await openHttp(absoluteUrl("httpSource", url).href, options)).source;
}

/** As `httpSource`, of a complete URL; `isPage` tells that the answer is a page of HTML. */
export async function openHttp(url: string, options: HttpSourceOptions): Promise<{ source: ByteSource; isPage: boolean }> {
  const first = await requestRange(url, 0, FIRST_BYTES, options);
  const isPage = isHtml(first);
  if (first.isWhole) {
    if (!isPage) options.onWholeFile?.({ url, byteLength: first.totalBytes });
    return { source: bytesSource(first.bytes, url), isPage };
  }
  const source: ByteSource = {
    name: url,
    byteLength: first.totalBytes,
    async slice(start, end) {
      if (end <= first.bytes.byteLength) return first.bytes.subarray(start, end);
      const answer = await requestRange(url, start, end, options);
      if (answer.totalBytes !== first.totalBytes || answer.etag !== first.etag) {
        throw new SourceError(
          `httpSource: ${url} changed while it was read; expected ${first.totalBytes} bytes and etag ${first.etag}, got ${answer.totalBytes} and ${answer.etag}; open it again`,
          { source: url },
        );
      }
      return answer.isWhole ? answer.bytes.subarray(start, end) : answer.bytes;
    },
  };
  return { source, isPage };
}

function isHtml({ bytes, contentType }: RangeAnswer): boolean {
  if (!/^(text\/html|application\/xhtml)/i.test(contentType ?? "")) return false;
  return beginsAsHtml(new TextDecoder().decode(bytes.subarray(0, 1024)));
}

/** One range request. The server may stop at the end of the file, or answer with all of it. */
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
    const { status } = response;
    const facts = { etag: response.headers.get("etag"), contentType: response.headers.get("content-type") };
    if (status === 416 && response.headers.get("content-range") === "bytes */0") {
      await response.body?.cancel();
      return { bytes: new Uint8Array(0), totalBytes: 0, isWhole: false, ...facts };
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw fail(`the server refused; expected status 206, got ${status} ${response.statusText}`, { status });
    }
    if (status !== 206) {
      const bytes = await readWhole(response);
      if (bytes !== undefined) return { bytes, totalBytes: bytes.byteLength, isWhole: true, ...facts };
      throw fail(
        `the server ignores ranges and the file is too large to keep; expected status 206, or at most ${MAX_WHOLE_BYTES} bytes, got ${status} with more; use a server that answers range requests`,
        { status },
      );
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
    return { bytes, totalBytes: total, isWhole: false, ...facts };
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause instanceof SourceError ? cause : fail("the request failed; check the address and the network", { cause });
  }
}

/** All of a body, or undefined when it is longer than we keep; a body that is compressed on the way announces another length than it has. */
async function readWhole({ body, headers }: Response): Promise<Uint8Array | undefined> {
  if (Number(headers.get("content-length")) > MAX_WHOLE_BYTES) {
    await body?.cancel();
    return undefined;
  }
  const pieces: Uint8Array[] = [];
  let byteLength = 0;
  const reader = body?.getReader();
  for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader!.read()) {
    byteLength += piece.value.byteLength;
    if (byteLength > MAX_WHOLE_BYTES) {
      await reader!.cancel();
      return undefined;
    }
    pieces.push(piece.value);
  }
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}
