import { readFile, readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { isCommit } from "../../api.js";
import type { RepoFile } from "../../source.js";
import type { RepoFolder } from "./layout.js";
import { writeNote } from "./write.js";

/** The commit that a revision stood for when it was last seen; a commit is its own. */
export async function cachedCommit(folder: RepoFolder, revision: string): Promise<string | undefined> {
  if (isCommit(revision)) return revision;
  const text = (await readText(folder.ref(revision)))?.trim();
  return text !== undefined && isCommit(text) ? text : undefined;
}

/** Size of a file in the cache, links followed; undefined when it is not there, or its blob is gone. */
export async function cachedSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch {
    return undefined;
  }
}

/** True when it is known that a commit has no such file. */
export async function isKnownMissing(folder: RepoFolder, commit: string, fileName: string): Promise<boolean> {
  return (await cachedSize(folder.noExist(commit, fileName))) !== undefined;
}

/** The files of a snapshot that are in the cache, by path; undefined when there is none. */
export async function snapshotFiles(folder: RepoFolder, commit: string): Promise<RepoFile[] | undefined> {
  const root = folder.snapshot(commit);
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (!entries) return undefined;
  const files: RepoFile[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const size = await cachedSize(path);
    if (size !== undefined) files.push({ path: relative(root, path).split(sep).join("/"), size });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** An entry of `trees/<commit>.json`. */
interface TreeEntry {
  size: number;
  blob_id: string;
  lfs_sha256?: string;
  lfs_size?: number;
}

/** All files of a commit as they were listed once; undefined when they were not. */
export async function readTree(folder: RepoFolder, commit: string): Promise<RepoFile[] | undefined> {
  const text = await readText(folder.tree(commit));
  if (text === undefined) return undefined;
  try {
    const { format_version, files } = JSON.parse(text) as { format_version: unknown; files: Record<string, TreeEntry> };
    if (format_version !== 1) return undefined;
    return Object.entries(files).map(([path, { size, blob_id, lfs_sha256, lfs_size }]) => {
      folder.file(commit, path); // throws for a path that leads out of the folder
      if (!Number.isSafeInteger(lfs_size ?? size)) throw new TypeError(`no size of ${path}`);
      return { path, size: lfs_size ?? size, blobId: blob_id, ...(lfs_sha256 === undefined ? {} : { lfs: { sha256: lfs_sha256 } }) };
    });
  } catch {
    return undefined; // damaged, or of another version: it is listed again
  }
}

/** Keeps the list of a commit's files, which never changes. A list without blob ids is not kept: Python could not read it. */
export async function writeTree(folder: RepoFolder, commit: string, files: readonly RepoFile[]): Promise<void> {
  const entries = files.map(({ path, size, blobId, lfs }): [string, TreeEntry] | undefined =>
    blobId === undefined ? undefined : [path, { size, blob_id: blobId, ...(lfs ? { lfs_sha256: lfs.sha256, lfs_size: size } : {}) }],
  );
  if (!entries.every((entry) => entry !== undefined)) return;
  await writeNote(folder, folder.tree(commit), JSON.stringify({ format_version: 1, files: Object.fromEntries(entries) }, null, 2));
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined); // not there, or not for us to read
}
