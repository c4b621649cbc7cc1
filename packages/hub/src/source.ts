import type { ListedDirectory } from "@kto/core";
import type { RepoType } from "./repo-id.js";

/** A file of a repository. */
export interface RepoFile {
  /** From the root of the repository, with `/`. */
  path: string;
  /** In bytes. */
  size: number;
  /** Of files kept in large-file storage: the digest of the content. */
  lfs?: { sha256: string };
  /** Git's id of the file (of its pointer, where it is in large-file storage). */
  blobId?: string;
}

/** The commit that a revision stood for when it was asked. */
export interface ResolvedRevision {
  revision: string;
  /** 40 hexadecimal digits. */
  commit: string;
}

/** A repository as a directory: what `fromPretrained`, the tokenizer and `loadDataset` take in place of a folder. */
export interface HubSource extends ListedDirectory {
  /** `"owner/name"`, with `"@revision"` where it is not the default, for messages. */
  readonly name: string;
  readonly repo: string;
  readonly repoType: RepoType;
  /** All files of the repository; offline, where the cache has no list of them, those that it holds. */
  list(): Promise<RepoFile[]>;
  /** The commit that all of `open` and `list` read from. */
  resolve(): Promise<ResolvedRevision>;
}
