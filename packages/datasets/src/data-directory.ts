import type { ByteSource } from "./source.js";

/** A place with data files by name: a folder, or a repository of the hub (`hub("owner/name", { repoType: "dataset" })` of `@kto/hub`). */
export interface DataDirectory {
  /** Path, URL or id, for messages. */
  readonly name: string;
  /** Every file with its path from the root, parts separated by `/`. */
  list(): Promise<readonly { path: string; size: number }[]>;
  /** The file as a source, which is given back with `dispose()` where it has one; undefined when there is none of this name. */
  open(fileName: string): Promise<(ByteSource & { dispose?(): void | Promise<void> }) | undefined>;
}
