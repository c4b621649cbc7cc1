import { SourceError } from "../errors.js";
import { type ByteSource, blobSource } from "./byte-source.js";
import { type HttpSourceOptions, openHttp } from "./http-source.js";
import { absoluteUrl } from "./page-url.js";

/** A place with files by name: a folder, the files a user picked, a URL. Names of files in folders inside have slashes. */
export interface ByteDirectory {
  /** Path or URL, for messages. */
  readonly name: string;
  /** The file as a source that the caller then owns, or undefined when there is none of this name. */
  open(fileName: string): Promise<ByteSource | undefined>;
}

/** A directory that can say what is in it: a folder, a repository of the hub. */
export interface ListedDirectory extends ByteDirectory {
  /** Every file with its path from the root, parts separated by `/`, and its size in bytes. */
  list(): Promise<readonly { readonly path: string; readonly size: number }[]>;
}

/**
 * Files picked by a user (`<input type="file" multiple>`), found by name; those of a folder (`webkitdirectory`) by their path inside it.
 */
export function blobDirectory(files: Iterable<File>, name: string = "the chosen files"): ListedDirectory {
  const byPath = new Map(Array.from(files, (file) => [pathInside(file), file]));
  return {
    name,
    list: async () => Array.from(byPath, ([path, { size }]) => ({ path, size })),
    async open(fileName) {
      const file = byPath.get(fileName);
      return file && blobSource(file);
    },
  };
}

/** Path below the folder that was picked; the name of a file that was picked alone. */
function pathInside({ name, webkitRelativePath = "" }: { name: string; webkitRelativePath?: string }): string {
  return webkitRelativePath.split("/").slice(1).join("/") || name;
}

/**
 * Files below a URL, read by range requests; a relative URL is one of the page's or worker's. Status 404 means that there is no such file, and so does a
 * page of HTML in its place, which servers of single-page applications give.
 *
 * @throws SourceError for a relative URL where there is no page, as in Node; opening a file throws as `httpSource`
 */
export function httpDirectory(baseUrl: string | URL, options: HttpSourceOptions = {}): ByteDirectory {
  const base = absoluteUrl("httpDirectory", baseUrl);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return {
    name: base.href,
    async open(fileName) {
      const path = fileName.split("/").map(encodeURIComponent).join("/");
      try {
        const { source, isPage } = await openHttp(new URL(path, base).href, options);
        return isPage && !/\.x?html?$/i.test(fileName) ? undefined : source;
      } catch (error) {
        if (error instanceof SourceError && error.status === 404) return undefined;
        throw error;
      }
    },
  };
}
