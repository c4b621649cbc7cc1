import type { ByteDirectory } from "./bytes/directory.js";

/** Where bytes go, in order. */
export interface ByteSink {
  /** Resolves when the sink has taken the bytes; the array may be reused afterwards. */
  write(bytes: Uint8Array): Promise<void>;
}

/** A file or folder in a store. */
export interface StoreEntry {
  readonly name: string;
  readonly kind: "file" | "folder";
}

/**
 * A place that files can be written to, and read from again: a folder in Node, OPFS in a browser, memory in tests. Adapters, checkpoints, run folders
 * and models are written through it. Paths are relative, with slashes; folders on the way are made.
 */
export interface Store extends ByteDirectory {
  /** Writes a file whole or not at all, from text, bytes, or a function that gives them piece by piece. What was there before stays until it is complete. */
  write(path: string, content: string | Uint8Array | ((sink: ByteSink) => Promise<void>)): Promise<void>;
  /** Adds bytes at the end of a file and waits until they are kept; after a failure the file is as it was before. */
  append(path: string, content: string | Uint8Array): Promise<void>;
  /** Fills a folder that is then there whole or not at all, in place of one of that name. `fill` writes into the store it is given. */
  writeFolder(path: string, fill: (folder: Store) => Promise<void>): Promise<void>;
  /** What lies in a folder, in the order of names; nothing where there is none. Half-written files are not listed. */
  list(path?: string): Promise<StoreEntry[]>;
  /** Removes a file, or a folder with all that is in it; nothing where there is none. */
  remove(path: string): Promise<void>;
  /** The folder of that path as a store of its own; it need not be there yet. */
  folder(path: string): Store;
  /** Bytes that can still be written here, for who writes gigabytes; undefined where nobody can say. A store without it cannot either. */
  freeBytes?(): Promise<number | undefined>;
}
