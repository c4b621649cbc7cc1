import type { RepoType } from "./repo-id.js";

/** Random access to the bytes of a file; what `@kto/safetensors` calls a ByteSource. */
export interface ByteSource {
  readonly byteLength: number;
  /** Path or URL, for messages. */
  readonly name?: string | undefined;
  /** Bytes [start, end). */
  slice(start: number, end: number): Promise<Uint8Array>;
  /** Gives back what the source holds (a file descriptor). */
  dispose?(): void | Promise<void>;
}

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
export interface HubSource {
  /** `"owner/name"`, with `"@revision"` where it is not the default, for messages. */
  readonly name: string;
  readonly repo: string;
  readonly repoType: RepoType;
  /** The file as a source that the caller then owns, or undefined when the repository has none of this name. */
  open(fileName: string): Promise<ByteSource | undefined>;
  /** All files of the repository; offline, where the cache has no list of them, those that it holds. */
  list(): Promise<RepoFile[]>;
  /** The commit that all of `open` and `list` read from. */
  resolve(): Promise<ResolvedRevision>;
}
