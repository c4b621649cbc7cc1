import { HubError } from "../errors.js";
import { filterFiles } from "../glob.js";
import type { RepoFile } from "../source.js";
import { notCached } from "./cache-errors.js";
import { cachedSize, snapshotFiles } from "./cache/read.js";
import { type CachedRepo, fetchFile, listFiles, noteCommit, openRepo, resolveCommit } from "./cached-repo.js";
import { blobFacts } from "./file-metadata.js";
import type { SnapshotOptions } from "./options.js";
import { forEachOf } from "./transfer/connections.js";
import { expectSpace, incompleteBytes } from "./transfer/fetch-blob.js";

/** A repository at a commit, in the cache. */
export interface Snapshot {
  /** Folder with the files under their names. */
  path: string;
  commit: string;
  /** The chosen files, from that folder, with `/`. */
  files: string[];
  /** Of these files. */
  bytes: number;
}

/**
 * Downloads a repository, or the files of it that the patterns choose, into the cache, several at once and large ones in several ranges at once.
 * What is there is not fetched again; a cut download goes on where it ended. Offline, and when the hub does not answer, the cache must have it.
 *
 * @throws HubError, whose `reason` says what is wrong and whose message what to do; the signal's reason
 */
export async function snapshotDownload(id: string, options: SnapshotOptions = {}): Promise<Snapshot> {
  const repo = openRepo(id, options);
  const { client, connections, folder } = repo;
  const commit = await resolveCommit(repo);
  const listed = (await listFiles(repo, commit)) ?? (await snapshotFiles(folder, commit));
  if (!listed) throw notCached(repo);
  const files = filterFiles(listed, options.include, options.exclude);
  if (files.length === 0) throw nothingChosen(repo, listed, options);
  if (repo.offline) await expectCached(repo, commit, files);
  else await expectRoom(repo, commit, files);
  await forEachOf(files, connections.count, client.signal, async (file, signal) => {
    await fetchFile({ ...repo, client: { ...client, signal } }, commit, file.path, file);
  });
  await noteCommit(repo, commit);
  return {
    path: folder.snapshot(commit),
    commit,
    files: files.map(({ path }) => path),
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  };
}

async function expectCached(repo: CachedRepo, commit: string, files: readonly RepoFile[]): Promise<void> {
  for (const { path } of files) {
    if ((await cachedSize(repo.folder.file(commit, path))) === undefined) throw notCached(repo, path);
  }
}

/** Better no download than one that stops when the disk is full. */
async function expectRoom(repo: CachedRepo, commit: string, files: readonly RepoFile[]): Promise<void> {
  const { folder } = repo;
  let neededBytes = 0;
  for (const file of files) {
    const facts = blobFacts(file);
    if (!facts || (await cachedSize(folder.file(commit, file.path))) !== undefined) continue;
    if ((await cachedSize(folder.blob(facts.etag))) !== undefined) continue;
    neededBytes += Math.max(0, facts.size - (await incompleteBytes(folder, facts.etag)));
  }
  if (neededBytes > 0) await expectSpace(folder.blob("any"), neededBytes);
}

function nothingChosen({ at, offline }: CachedRepo, listed: readonly RepoFile[], { include, exclude }: SnapshotOptions): HubError {
  const patterns = `include ${JSON.stringify(include ?? ["*"])}, exclude ${JSON.stringify(exclude ?? [])}`;
  const place = offline ? `${at.repo} in the cache` : at.repo;
  return new HubError(
    `snapshotDownload: no file of ${place} is chosen by ${patterns}; expected at least one, got none of ${listed.length}; check the patterns`,
    { reason: "entryNotFound", repo: at.repo },
  );
}
