import type { ByteSource } from "./byte-source.js";

/** A place with files by name: a folder, the files a user picked, a URL. Names of files in folders inside have slashes. */
export interface ByteDirectory {
  /** Path or URL, for messages. */
  readonly name: string;
  /** The file as a source that the caller then owns, or undefined when there is none of this name. */
  open(fileName: string): Promise<ByteSource | undefined>;
}
