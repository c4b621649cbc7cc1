import { open } from "node:fs/promises";
import type { ByteSource } from "@kto/core";
import { HubError } from "../errors.js";
import { displayName } from "../hub.js";
import { expectSafetensors } from "../model-files.js";
import { once } from "../once.js";
import type { HubSource, RepoFile } from "../source.js";
import { notCached } from "./cache-errors.js";
import { readTree, snapshotFiles } from "./cache/read.js";
import { fetchFile, listFiles, noteCommit, openRepo, resolveCommit } from "./cached-repo.js";
import type { CacheOptions } from "./options.js";

/** Files that only a model with weights in safetensors has. */
const WEIGHTS = /\.safetensors(?:\.index\.json)?$/;

/**
 * A repository of the hub as a directory: what is opened is downloaded into the cache, whole, and read from there. For Node; the `hub` of `@kto/hub`
 * reads over the network.
 *
 * The revision is resolved to a commit once, so that all files are of one state of the repository. Offline, and when the hub does not answer, the
 * cache answers alone; a file that it says nothing of counts as missing from the repository, unless no weights are there at all.
 *
 * @throws HubError (`"repoId"`) for an id that no repository can have; what goes wrong later rejects the call it happens in, also with `"pickle"`
 *   when weights are asked for and are there only as pickle files
 */
export function hub(id: string, options: CacheOptions = {}): HubSource {
  const repo = openRepo(id, options);
  const { at, folder } = repo;
  const resolve = once(async () => resolveCommit(repo));
  const list = once(async (): Promise<RepoFile[]> => {
    const commit = await resolve();
    const files = (await listFiles(repo, commit)) ?? (await snapshotFiles(folder, commit));
    if (!files) throw notCached(repo);
    if (at.repoType === "model") expectSafetensors(at.repo, files);
    return files;
  });
  /** Whether offline, without a list, the cache holds enough of the repository to take a file for missing. */
  const isMissingOffline = async (commit: string, fileName: string): Promise<boolean> => {
    if (!repo.offline || (await readTree(folder, commit)) || !(await snapshotFiles(folder, commit))) return false;
    return !WEIGHTS.test(fileName) || (await list()).some(({ path }) => path.endsWith(".safetensors"));
  };
  return {
    name: displayName(at),
    repo: at.repo,
    repoType: at.repoType,
    resolve: async () => ({ revision: at.revision, commit: await resolve() }),
    list,
    async open(fileName) {
      const commit = await resolve();
      try {
        const path = await fetchFile(repo, commit, fileName);
        await noteCommit(repo, commit);
        return await cachedSource(path);
      } catch (error) {
        if (!(error instanceof HubError)) throw error;
        const isMissing = error.reason === "entryNotFound";
        if (isMissing && WEIGHTS.test(fileName) && at.repoType === "model") await list(); // throws for pickle files
        if (isMissing || (await isMissingOffline(commit, fileName))) return undefined;
        throw error;
      }
    },
  };
}

/** A file of the cache as a source. */
async function cachedSource(path: string): Promise<ByteSource> {
  const file = await open(path).catch((cause: unknown) => {
    throw new HubError(
      `hub: ${path} cannot be opened; expected a file of the cache, got ${(cause as NodeJS.ErrnoException).code}; check its permissions`,
      { reason: "cache", file: path, cause },
    );
  });
  const { size } = await file.stat();
  return {
    name: path,
    byteLength: size,
    async slice(start, end) {
      const bytes = new Uint8Array(end - start);
      let filled = 0;
      while (filled < bytes.byteLength) {
        const { bytesRead } = await file.read(bytes, filled, bytes.byteLength - filled, start + filled);
        if (bytesRead === 0) {
          throw new HubError(
            `hub: ${path} ends early; expected bytes ${start} to ${end} of ${size}, got ${filled}; remove it, and it is downloaded again`,
            { reason: "cache", file: path },
          );
        }
        filled += bytesRead;
      }
      return bytes;
    },
    dispose: async () => file.close(),
  };
}
