import { type ByteSource, blobSource } from "./byte-source.js";
import { SourceError } from "./errors.js";
import { type HttpSourceOptions, httpSource } from "./http-source.js";

/** A place with files by name: a folder, the files a user picked, a URL. */
export interface ByteDirectory {
  /** Path or URL, for messages. */
  readonly name: string;
  /** The file as a source that the caller then owns, or undefined when there is none of this name. */
  open(fileName: string): Promise<ByteSource | undefined>;
}

/** Files picked by a user (`<input type="file" multiple webkitdirectory>`), found by name. */
export function blobDirectory(files: Iterable<File>, name: string = "the chosen files"): ByteDirectory {
  const byName = new Map(Array.from(files, (file) => [file.name, file]));
  return {
    name,
    async open(fileName) {
      const file = byName.get(fileName);
      return file && blobSource(file);
    },
  };
}

/** Files below a URL, read by range requests; status 404 means that there is no such file. */
export function httpDirectory(baseUrl: string | URL, options?: HttpSourceOptions): ByteDirectory {
  const base = new URL(baseUrl);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return {
    name: base.href,
    async open(fileName) {
      try {
        return await httpSource(new URL(encodeURIComponent(fileName), base), options);
      } catch (error) {
        if (error instanceof SourceError && error.status === 404) return undefined;
        throw error;
      }
    },
  };
}
