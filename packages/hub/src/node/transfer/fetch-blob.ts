import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { HubClient } from "../../http/client.js";
import { Retries } from "../../http/retry.js";
import type { RepoFolder } from "../cache/layout.js";
import { withLock } from "../cache/lock.js";
import { cachedSize } from "../cache/read.js";
import { noSpace, writeError } from "../cache/write.js";
import { type Connections, forEachOf } from "./connections.js";
import { IncompleteFile, removeIncomplete } from "./incomplete-file.js";
import type { ProgressReport } from "./progress.js";
import type { ByteRange } from "./range-set.js";
import { RangesIgnored, type RemoteFile, streamRange, type Sink, WrongContent } from "./stream-range.js";

/** Bytes that one request asks for: large files travel in several at once. */
const PART_BYTES = 16 * 2 ** 20;

/** A blob to fetch. */
export interface BlobJob extends RemoteFile {
  etag: string;
}

/** What a transfer needs. */
export interface Transfers {
  client: HubClient;
  folder: RepoFolder;
  connections: Connections;
  partBytes?: number;
}

/**
 * Makes a blob of the cache: takes up what earlier runs left, fetches what is missing in ranges, checks the digest, and only then gives the blob
 * its name. Of several processes one works and the others wait. Resolves with false when the blob turns out to be there.
 *
 * @throws WrongContent when size or digest are not those announced, and nothing of it is left; HubError; the signal's reason: then what has come is kept
 */
export async function fetchBlob(transfers: Transfers, job: BlobJob, report: ProgressReport): Promise<boolean> {
  const { folder, client } = transfers;
  const blob = folder.blob(job.etag);
  const onWait = (): void => report.waiting();
  return withLock(join(folder.locks, `${job.etag}.kto-lock`), { signal: client.signal, onWait }, async () => {
    if ((await cachedSize(blob)) !== undefined) {
      await removeIncomplete(folder.incomplete(job.etag));
      return false;
    }
    await using file = await IncompleteFile.open(folder.incomplete(job.etag), job.size);
    await expectSpace(file.path, job.size - file.ranges.byteLength);
    report.start(file.ranges.byteLength);
    try {
      await fill(transfers, job, file, report);
      await expectDigest(file.path, job, client.signal);
    } catch (error) {
      if (error instanceof WrongContent) await file.remove();
      throw error;
    }
    await file.finish(blob);
    report.done();
    return true;
  });
}

/** Throws HubError when the disk of `path` has not so many bytes left. Where the system does not tell, writing will. */
export async function expectSpace(path: string, neededBytes: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw writeError(error, path);
  });
  const disk = await statfs(dirname(path)).catch(() => undefined);
  if (disk && disk.blocks > 0 && disk.bavail * disk.bsize < neededBytes) throw noSpace(path, neededBytes, disk.bavail * disk.bsize);
}

/** Bytes of a blob on its way that take up room on the disk. */
export async function incompleteBytes(folder: RepoFolder, etag: string): Promise<number> {
  return stat(folder.incomplete(etag)).then(({ blocks }) => blocks * 512, () => 0); // prettier-ignore
}

async function fill(transfers: Transfers, job: BlobJob, file: IncompleteFile, report: ProgressReport): Promise<void> {
  const { client, connections, partBytes = PART_BYTES } = transfers;
  const fillPart = async ({ start, end }: ByteRange, signal: AbortSignal): Promise<void> => {
    let at = start;
    const retries = new Retries(client.retry, signal, ({ message }, delayMs) => report.retry(message, delayMs));
    const sink = sinkOf(file, report, (position) => {
      at = position;
      retries.reset();
    });
    await untilDone({ ...transfers, client: { ...client, signal } }, job, retries, async (once) => {
      if (at < end) await streamRange(once, job, { start: at, end }, sink);
    });
  };
  try {
    await forEachOf(file.ranges.missing(job.size, partBytes), connections.count, client.signal, fillPart);
  } catch (error) {
    if (!(error instanceof RangesIgnored)) throw error;
    await fillAtOnce(transfers, job, file, report);
  }
}

/** From a server that knows no ranges: all of the file through one connection, from the beginning after each cut. */
async function fillAtOnce(transfers: Transfers, job: BlobJob, file: IncompleteFile, report: ProgressReport): Promise<void> {
  const { client } = transfers;
  const retries = new Retries(client.retry, client.signal, ({ message }, delayMs) => report.retry(message, delayMs, 0));
  report.retry("the server ignores ranges", 0, 0);
  await untilDone(transfers, job, retries, async (once) => {
    await file.clear();
    await streamRange(once, job, { start: 0, end: job.size }, sinkOf(file, report));
  });
}

/** Makes attempts, each when a connection is free and the time for it has come, until one succeeds. */
async function untilDone(
  { client, connections }: Transfers,
  { asked }: BlobJob,
  retries: Retries,
  attempt: (client: HubClient) => Promise<void>,
): Promise<void> {
  for (let isDone = false; !isDone;) {
    try {
      await connections.use(async () => {
        client.signal?.throwIfAborted();
        await attempt(client);
      });
      isDone = true;
    } catch (error) {
      await retries.wait(error, { repo: asked.repo, file: asked.file });
    }
  }
}

function sinkOf(file: IncompleteFile, report: ProgressReport, reached?: (position: number) => void): Sink {
  return {
    received: (bytes) => report.add(bytes),
    async write(bytes, position) {
      await file.write(bytes, position);
      reached?.(position + bytes.byteLength);
    },
  };
}

/** Compares a file with its etag: sha256, or git's blob id. Other etags tell nothing about the content. */
async function expectDigest(path: string, { etag, size }: BlobJob, signal: AbortSignal | undefined): Promise<void> {
  const algorithm = /^[0-9a-f]{64}$/.test(etag) ? "sha256" : /^[0-9a-f]{40}$/.test(etag) ? "sha1" : undefined;
  if (algorithm === undefined) return;
  const hash = createHash(algorithm);
  if (algorithm === "sha1") hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    signal?.throwIfAborted();
    hash.update(chunk as Uint8Array);
  }
  const digest = hash.digest("hex");
  if (digest !== etag) throw new WrongContent(`the ${algorithm} differs; expected ${etag}, got ${digest}`);
}
