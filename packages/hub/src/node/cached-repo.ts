import { type RepoAt, fetchCommit, fetchTree, fileUrl, isCommit } from "../api.js";
import { HubError } from "../errors.js";
import { type HubClient, createClient } from "../http/client.js";
import { repoAt } from "../hub.js";
import type { RepoFile } from "../source.js";
import { entryMissing, notCached, unreachable, wrongContent } from "./cache-errors.js";
import { type RepoFolder, repoFolder } from "./cache/layout.js";
import { cachedCommit, cachedSize, isKnownMissing, readTree, snapshotFiles, writeTree } from "./cache/read.js";
import { linkBlob, writeNote } from "./cache/write.js";
import { cacheFolder, hubEndpoint, hubTimeouts, hubToken, isOffline } from "./environment.js";
import { type BlobFacts, blobFacts, fetchBlobFacts } from "./file-metadata.js";
import type { DownloadOptions, FileProgress } from "./options.js";
import { Connections } from "./transfer/connections.js";
import { type Transfers, fetchBlob } from "./transfer/fetch-blob.js";
import { ProgressReport } from "./transfer/progress.js";
import { WrongContent } from "./transfer/stream-range.js";

const DEFAULT_WORKERS = 8;

/** A repository, the hub it is on, and its folder in the cache. */
export interface CachedRepo extends Transfers {
  readonly at: RepoAt;
  readonly client: HubClient;
  readonly folder: RepoFolder;
  /** Nothing is asked of the hub: as it was told, or because the hub did not answer. */
  offline: boolean;
  /** How the hub did not answer. */
  failure?: HubError | undefined;
  readonly onProgress: ((progress: FileProgress) => void) | undefined;
  /** Transfers under way, by etag. */
  readonly underWay: Map<string, Promise<boolean>>;
}

/** Joins options and environment. Throws HubError for an id or an endpoint that cannot be. */
export function openRepo(id: string, options: DownloadOptions): CachedRepo {
  const at = repoAt(id, options);
  const defaults = { endpoint: hubEndpoint(), token: hubToken(), redirect: "manual", timeouts: hubTimeouts() } as const;
  return {
    at,
    client: createClient(options, defaults),
    folder: repoFolder(options.cacheDir ?? cacheFolder(), at.repoType, at.repo),
    connections: new Connections(options.maxWorkers ?? DEFAULT_WORKERS),
    offline: (options.localFilesOnly ?? false) || (options.offline ?? isOffline()),
    onProgress: options.onProgress,
    underWay: new Map(),
  };
}

/**
 * The commit of the repository's revision: what the hub says or, offline and when it does not answer, what it said last. A commit is its own.
 *
 * @throws HubError: `"notCached"`, `"unreachable"`, or what the hub refuses with
 */
export async function resolveCommit(repo: CachedRepo): Promise<string> {
  const { at, client, folder } = repo;
  if (isCommit(at.revision)) return at.revision;
  const known = await cachedCommit(folder, at.revision);
  if (repo.offline) {
    if (known === undefined) throw notCached(repo);
    return known;
  }
  try {
    return await fetchCommit(known === undefined ? client : impatient(client), at);
  } catch (error) {
    giveUp(repo, error);
    if (known === undefined) throw notCached(repo);
    return known;
  }
}

/** All files of a commit, as the cache knows or the hub lists them; undefined when neither tells. */
export async function listFiles(repo: CachedRepo, commit: string): Promise<RepoFile[] | undefined> {
  const { at, client, folder } = repo;
  const known = await readTree(folder, commit);
  if (known || repo.offline) return known;
  try {
    const isCached = (await snapshotFiles(folder, commit)) !== undefined;
    const files = await fetchTree(isCached ? impatient(client) : client, { ...at, revision: commit });
    await writeTree(folder, commit, files);
    return files;
  } catch (error) {
    giveUp(repo, error);
    return undefined;
  }
}

/**
 * Path of a file in the cache, where it is brought if it is not there.
 *
 * @param entry  what is known of the file; without it the hub is asked
 * @throws HubError; the signal's reason, with what has come kept for the next time
 */
export async function fetchFile(repo: CachedRepo, commit: string, fileName: string, entry?: RepoFile): Promise<string> {
  const { at, client, folder, onProgress } = repo;
  client.signal?.throwIfAborted();
  const path = folder.file(commit, fileName);
  const size = await cachedSize(path);
  const reportOf = (totalBytes: number): ProgressReport => new ProgressReport(onProgress, at.repo, fileName, totalBytes);
  if (size !== undefined) {
    reportOf(size).cached();
    return path;
  }
  const found = entry ?? (await knownEntry(repo, commit, fileName));
  if (repo.offline) throw notCached(repo, fileName);
  const asked = { ...at, revision: commit, file: fileName };
  const ask = async (): Promise<BlobFacts> => fetchFacts(repo, commit, fileName);
  let facts = (found && blobFacts(found)) ?? (await ask());
  for (let isAgain = false; ; isAgain = true) {
    try {
      await shareTransfer(repo, { ...facts, asked, url: fileUrl(client, asked, fileName) }, reportOf(facts.size));
      break;
    } catch (error) {
      if (!(error instanceof WrongContent)) throw error;
      if (isAgain) throw wrongContent(repo, fileName, error);
      reportOf(facts.size).retry(error.message, 0, 0);
      facts = await ask();
    }
  }
  await linkBlob(folder, folder.blob(facts.etag), path);
  return path;
}

/** Notes the commit of a branch or tag, once something of it is in the cache. */
export async function noteCommit({ at, folder, offline }: CachedRepo, commit: string): Promise<void> {
  if (offline || isCommit(at.revision) || (await cachedCommit(folder, at.revision)) === commit) return;
  if ((await snapshotFiles(folder, commit)) !== undefined) await writeNote(folder, folder.ref(at.revision), commit);
}

/** Fetches a blob, unless it is there or on its way. */
async function shareTransfer(repo: CachedRepo, job: Parameters<typeof fetchBlob>[1], report: ProgressReport): Promise<void> {
  const { folder, underWay } = repo;
  const isThere = (await cachedSize(folder.blob(job.etag))) !== undefined;
  const shared = underWay.get(job.etag);
  if (isThere || shared) {
    await shared;
    report.cached();
    return;
  }
  const transfer = fetchBlob(repo, job, report);
  underWay.set(job.etag, transfer);
  try {
    if (!(await transfer)) report.cached();
  } finally {
    underWay.delete(job.etag);
  }
}

/** What the cache knows of a file; undefined when it knows nothing. Throws HubError when it knows that there is no such file. */
async function knownEntry(repo: CachedRepo, commit: string, fileName: string): Promise<RepoFile | undefined> {
  const files = await readTree(repo.folder, commit);
  const entry = files?.find(({ path }) => path === fileName);
  if (!entry && (files || (await isKnownMissing(repo.folder, commit, fileName)))) throw entryMissing(repo, commit, fileName);
  return entry;
}

async function fetchFacts(repo: CachedRepo, commit: string, fileName: string): Promise<BlobFacts> {
  const { at, client, folder } = repo;
  try {
    return await fetchBlobFacts(client, { ...at, revision: commit, file: fileName });
  } catch (error) {
    if (error instanceof HubError && error.reason === "entryNotFound") await writeNote(folder, folder.noExist(commit, fileName), "");
    throw error instanceof HubError && error.reason === "unreachable" ? unreachable(repo, error, fileName) : error;
  }
}

/** From now on the cache answers, if `error` is that the hub does not. */
function giveUp(repo: CachedRepo, error: unknown): void {
  if (!(error instanceof HubError) || error.reason !== "unreachable") throw error;
  repo.failure = error;
  repo.offline = true;
}

/** Where the cache can answer instead, one more attempt is enough. */
function impatient(client: HubClient): HubClient {
  return { ...client, retry: { ...client.retry, count: Math.min(client.retry?.count ?? 1, 1) } };
}
