import type { CacheOptions, SnapshotOptions } from "./options.js";

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

export async function snapshotDownload(id: string, _options: SnapshotOptions = {}): Promise<Snapshot> {
  throw new Error(`not yet: ${id}`);
}

export async function findSnapshot(id: string, _options: CacheOptions = {}): Promise<Snapshot | undefined> {
  throw new Error(`not yet: ${id}`);
}
